/*
 * Input writer: a call that sends input to a guest, and is answered when some of it found room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct rpc_call;
struct vm;

/*
 * Answers call with what was accepted of size bytes at data, which it takes (free(3)). wait: not
 * before there was room for at least one. eof: nothing more comes after them. Fails the call where
 * the guest, or its input, has ended. Takes call.
 */
void input_writer_start(struct rpc_call *call, struct vm *vm, unsigned char *data, size_t size,
                        bool eof, bool wait);

/*
 * Output stream: a VM's output to one reader, from a position of its own.
 *
 * The stream waits in the VM's ring, not in the connection's queue: a reader that is slow costs no
 * memory, and loses the oldest bytes of its view where the ring has moved on, which it is told.
 */
#pragma once

#include <stdint.h>

#include "rpc/output_text.h"
#include "rpc/peer.h"

struct vm;

extern const struct subscription_kind output_stream_kind;

/* A stream from offset on, which exists. Errors: -EDQUOT, -ENOMEM. */
int output_stream_new(struct peer *peer, struct vm *vm, uint64_t offset,
                      enum output_encoding encoding, struct subscription **ret, struct error *err);

/* Sends what there is; may end the subscription. */
void output_stream_start(struct subscription *subscription);

/*
 * POST ports: where firmware and kernels write how far they have come (shared/post_code.h).
 *
 * Kernels also write to port 0x80 for the time it takes, whatever happens to be in the register.
 */
#pragma once

#include "shared/post_code.h"

/* A struct bus_range's functions; device: a struct post_code. Reads back the last code. With the
 * machine's lock held. */
uint8_t post_code_read(void *code, uint64_t offset);
void post_code_write(void *code, uint64_t offset, uint8_t value);

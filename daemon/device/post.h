/*
 * POST ports: where firmware and kernels write how far they have come (shared/post_code.h).
 *
 * Kernels also write to port 0x80 for the time it takes, whatever happens to be in the register.
 */
#pragma once

#include "shared/post_code.h"

/* One port. Its state is where the owner keeps it. */
struct post {
    struct post_code *code;
};

/* A struct bus_range's functions. Reads back the last code. With the machine's lock held. */
uint8_t post_read(void *post, uint64_t offset);
void post_write(void *post, uint64_t offset, uint8_t value);

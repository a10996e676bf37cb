/*
 * POST codes: firmware and kernels tell how far they have come by a byte written to a port. The
 * last of each port is kept, for whoever wonders where a guest got stuck.
 *
 * Kernels also write to port 0x80 for the time it takes, whatever happens to be in the register.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One port. The VM's thread writes it, any thread may look. */
struct post_code {
    _Atomic uint16_t last; /* 0: none yet */
};

struct post_codes {
    struct post_code port_80;
    struct post_code port_190; /* where the IBM PS/2 had it */
};

/* Whether a code was written, and which. Any thread. */
bool post_code_get(const struct post_code *code, uint8_t *ret);

/* A struct bus_range's functions; device: a struct post_code. Reads back the last code. With the
 * machine's lock held. */
uint8_t post_code_read(void *code, uint64_t offset);
void post_code_write(void *code, uint64_t offset, uint8_t value);

/*
 * POST codes: firmware and kernels tell how far they have come by a byte written to a port. The
 * last of each port is kept, for whoever wonders where a guest got stuck.
 *
 * Part of the VM's state file (shared/vm_file.h): the layout is fixed.
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

/* The VM's thread. */
void post_code_set(struct post_code *code, uint8_t value);

/*
 * Reset control: the register at port 0xcf9 by which PCs with PCI are reset.
 *
 * It lies in the middle of a double word of another's, PCI's configuration address at 0xcf8: only a
 * byte written to 0xcf9 itself is for it. So it takes what is wider whole, and looks at the width.
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdint.h>

#include "kvm/bus.h"
#include "shared/guest_end.h"

enum {
    RESET_CONTROL_BASE = 0xcf8,
    RESET_CONTROL_PORT = 0xcf9,
    RESET_CONTROL_PORTS = 4,
    RESET_CONTROL_WIDTHS = BUS_8_BITS | BUS_16_BITS | BUS_32_BITS,
};

struct reset_control {
    struct guest_end *end;

    uint8_t value; /* its state, 0 after a reset */
};

/* A struct bus_range's functions, at RESET_CONTROL_BASE. */
uint8_t reset_control_read(void *reset_control, uint64_t offset);
void reset_control_write(void *reset_control, uint64_t offset, uint64_t value, unsigned size);

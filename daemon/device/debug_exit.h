/*
 * Debug exit: a guest writes a number and the VM ends, with the exit code QEMU's isa-debug-exit
 * would give: (number << 1) | 1, of which a process keeps 8 bits. A byte, a word or a double word.
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdint.h>

#include "kvm/bus.h"
#include "shared/guest_end.h"

enum { DEBUG_EXIT_PORTS = 4, DEBUG_EXIT_WIDTHS = BUS_8_BITS | BUS_16_BITS | BUS_32_BITS };

struct debug_exit {
    struct guest_end *end;
};

/* A struct bus_range's functions. Reading gives 0, as QEMU's does. */
uint8_t debug_exit_read(void *debug_exit, uint64_t offset);
void debug_exit_write(void *debug_exit, uint64_t offset, uint64_t value, unsigned size);

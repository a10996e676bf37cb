/*
 * Debug console: bytes written are printed; reading gives 0xe9, its port in Bochs, by which guests
 * tell that it is there (QEMU's isa-debugcon, SeaBIOS's qemu_debug_preinit()).
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdint.h>

#include "device/console.h"

struct debug_console {
    const struct console *console;
};

/* A struct bus_range's functions. */
uint8_t debug_console_read(void *debug_console, uint64_t offset);
void debug_console_write(void *debug_console, uint64_t offset, uint8_t value);

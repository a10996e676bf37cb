/*
 * Finisher: ends the VM with a code, by one 32-bit write (SiFive's test finisher, as QEMU's virt
 * machine has it: hw/misc/sifive_test.c).
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdint.h>

#include "kvm/bus.h"
#include "shared/guest_end.h"

/* 16 bits are enough to pass: QEMU takes both. */
enum { FINISHER_SIZE = 0x1000, FINISHER_WIDTHS = BUS_16_BITS | BUS_32_BITS };

struct finisher {
    struct guest_end *end;
};

/* A struct bus_range's functions. */
uint8_t finisher_read(void *device, uint64_t offset);
void finisher_write(void *device, uint64_t offset, uint64_t value, unsigned size);

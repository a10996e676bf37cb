/*
 * Bus: which device answers at an address. A machine has one for ports and one for memory.
 *
 * Devices are byte-wide, as the ISA bus's were: a wider access is that many byte accesses, lowest
 * address first, each to whichever device is there. Where none is, reads give all ones and writes
 * go nowhere. A device for which a write's width means something takes its part of it in one piece.
 *
 * All functions: the VM's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/exit_stats.h"

typedef uint8_t (*bus_read_fn)(void *device, uint64_t offset);
typedef void (*bus_write_fn)(void *device, uint64_t offset, uint8_t value);
typedef void (*bus_write_wide_fn)(void *device, uint64_t offset, uint64_t value, unsigned size);

struct bus_range {
    uint64_t base;
    uint64_t size;
    bus_read_fn read;
    bus_write_fn write;           /* NULL: what is written goes nowhere */
    bus_write_wide_fn write_wide; /* instead of write: as much of a write as lies in the range */
    void *device;
};

enum { BUS_RANGES_MAX = 16 };

struct bus {
    unsigned count;
    struct bus_range ranges[BUS_RANGES_MAX];
};

/* At most BUS_RANGES_MAX ranges, none overlapping. */
void bus_add(struct bus *bus, struct bus_range range);

/* Whether a device answers at address, to reads or to writes. */
bool bus_has(const struct bus *bus, enum io_direction direction, uint64_t address);

/* One access of size bytes (1, 2, 4 or 8), little-endian in data. */
void bus_read(const struct bus *bus, uint64_t address, void *data, unsigned size);
void bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned size);

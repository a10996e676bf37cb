/*
 * Bus: which device answers at an address. A machine has one for ports and one for memory.
 *
 * Most devices are byte-wide, as the ISA bus's were. Some have wider registers, or give a write's
 * width a meaning; their range says which widths they take whole.
 *
 * One rule serves both directions. An access is cut where a range begins or ends. Of what lies in a
 * range, the device gets the largest pieces that it takes, lowest address first. What is smaller
 * than any of them is no access to it, as is what lies in no range: reads give all ones, and writes
 * go nowhere. Where an access begins does not matter; a device whose registers have to be met at
 * their own address looks at the offset.
 *
 * bus_add(): the VM's thread, before its vCPUs run. The others: with the machine's lock held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/exit_stats.h"

/* A set of them is their sum; each is its own size in bytes. */
enum bus_width {
    BUS_8_BITS = 1,
    BUS_16_BITS = 2,
    BUS_32_BITS = 4,
    BUS_64_BITS = 8,
};

typedef uint8_t (*bus_read_fn)(void *device, uint64_t offset);
typedef void (*bus_write_fn)(void *device, uint64_t offset, uint8_t value);

/* size: bytes, one of the range's widths. */
typedef uint64_t (*bus_read_wide_fn)(void *device, uint64_t offset, unsigned size);
typedef void (*bus_write_wide_fn)(void *device, uint64_t offset, uint64_t value, unsigned size);

/* For each direction one function at most; none: reads give all ones, writes go nowhere. */
struct bus_range {
    uint64_t base;
    uint64_t size;
    bus_read_fn read;   /* a byte at a time */
    bus_write_fn write; /* likewise */
    bus_read_wide_fn read_wide;
    bus_write_wide_fn write_wide;
    unsigned widths; /* that read_wide and write_wide take: a set of enum bus_width */
    void *device;
};

enum { BUS_RANGES_MAX = 16 };

struct bus {
    unsigned count;
    struct bus_range ranges[BUS_RANGES_MAX];
};

/* Errors: -ENOSPC (there are BUS_RANGES_MAX already), -EADDRINUSE (it overlaps one of them),
 * -EPROTOTYPE (functions and widths do not go together). */
int bus_add(struct bus *bus, struct bus_range range);

/* Whether a device answers at address, to reads or to writes, of whichever width. */
bool bus_has(const struct bus *bus, enum io_direction direction, uint64_t address);

/* One access of size bytes (1, 2, 4 or 8), little-endian in data. */
void bus_read(const struct bus *bus, uint64_t address, void *data, unsigned size);
void bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned size);

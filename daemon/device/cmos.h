/*
 * CMOS: a PC's clock and the little memory that its battery keeps, a Motorola MC146818.
 *
 * The clock shows the owner's time, in UTC, and cannot be set; it never raises an interrupt. The
 * memory says how much RAM there is, where QEMU and SeaBIOS have it; the guest may write to it.
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdint.h>

enum { CMOS_PORTS = 2, CMOS_SIZE = 128 };

enum { CMOS_CENTURY = 0x32 }; /* where the clock has it */

/* The time now, in seconds since 1970, UTC; never before that. */
struct cmos_clock {
    int64_t (*now)(void *context);
    void *context;
};

/* What a PC's firmware finds and writes down. */
struct cmos_memory {
    uint64_t below_4g; /* bytes of RAM from 0 up */
    uint64_t above_4g; /* bytes of RAM from 4 GiB up */
};

struct cmos {
    struct cmos_clock clock;
    struct cmos_memory memory;
    unsigned cpus;

    uint8_t index;            /* from here on: its state */
    uint8_t bytes[CMOS_SIZE]; /* those of the clock are not used */
};

/* Wires it; all of its state is 0, and a reset has to follow. The clock's context must outlive it.
 */
void cmos_init(struct cmos *cmos, const struct cmos_memory *memory, unsigned cpus,
               const struct cmos_clock *clock);

/* State as a PC's firmware leaves it, where it is not 0. */
void cmos_reset(void *cmos);

/* A struct bus_range's functions, at port 0x70: index, data. */
uint8_t cmos_read(void *cmos, uint64_t offset);
void cmos_write(void *cmos, uint64_t offset, uint8_t value);

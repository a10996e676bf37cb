/*
 * PLIC: takes the interrupts of devices to the harts (RISC-V Platform-Level Interrupt Controller
 * Specification 1.0.0). Sources are level-triggered; context n is hart n in supervisor mode.
 *
 * Its registers have 32 bits, and are read and written whole: PLIC_WIDTHS.
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kvm/bus.h"

enum {
    PLIC_SIZE = 0x4000000,
    PLIC_WIDTHS = BUS_32_BITS,
    PLIC_SOURCES = 32, /* source 0 is none */
    PLIC_PRIORITY_MAX = 7,
    PLIC_CONTEXTS_MAX = 16,
};

struct plic_context {
    bool level;       /* of its output */
    uint32_t enabled; /* a bit for each source */
    uint32_t threshold;
};

struct plic {
    void (*set)(void *context, unsigned hart, bool level);
    void *context;
    unsigned context_count;

    uint32_t priorities[PLIC_SOURCES]; /* from here on: its state, 0 after a reset */
    uint32_t levels;                   /* of the sources, a bit each */
    uint32_t pending;                  /* waits to be claimed */
    uint32_t claimed;                  /* and not completed: its gateway lets no other through */
    struct plic_context contexts[PLIC_CONTEXTS_MAX];
};

/* set: raises or lowers the external interrupt of the hart of that number. */
void plic_init(struct plic *plic, unsigned context_count,
               void (*set)(void *context, unsigned hart, bool level), void *context);

/* A device's line has changed: a struct interrupt_line's function. */
void plic_set(void *plic, unsigned source, bool level);

/* A struct bus_range's functions. */
uint64_t plic_read(void *plic, uint64_t offset, unsigned size);
void plic_write(void *plic, uint64_t offset, uint64_t value, unsigned size);

/*
 * Hart: what a guest is told of its vCPUs, which are all alike, and the wire that interrupts them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

struct hart_description {
    uint64_t timebase_hz; /* of the time CSR */
    char isa[320];        /* "rv64imafdc_zba": as a device tree has it */
    const char *mmu;      /* "riscv,sv39": the largest address space */
};

/* The vCPU's thread, before it runs. */
void hart_describe(const struct vcpu *vcpu, struct hart_description *ret);

/* Raises or lowers its external interrupt. One that is gone is left alone. Any of the machine's
 * threads, lock held. */
void hart_interrupt(const struct vcpu *vcpu, bool level);

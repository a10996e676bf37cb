/*
 * Hypercall: a guest asks the VMM for a service by number (guests/hypercall.h), whichever way its
 * architecture makes the call.
 */
#pragma once

#include <stdint.h>

struct vcpu;

struct hypercall {
    unsigned number;
    uint64_t argument; /* of those that have one; no wider than the guest's register */
};

enum hypercall_outcome {
    HYPERCALL_DONE,    /* there is nothing to tell */
    HYPERCALL_RESULT,  /* *ret_result is a number of the guest's own width */
    HYPERCALL_REFUSED, /* what it asks for cannot be: there is no such memory */
    HYPERCALL_BYTE,    /* *ret_result is a byte of input */
    HYPERCALL_END,     /* there is no byte of input, nor will be */
    HYPERCALL_UNKNOWN, /* there is no such hypercall */
    HYPERCALL_WAIT,    /* to be called again when something has come from outside */
};

/* How the guest is told is the architecture's. The vCPU's thread, machine's lock held. */
typedef enum hypercall_outcome (*hypercall_fn)(void *device, struct vcpu *vcpu,
                                               const struct hypercall *call, uint64_t *ret_result);

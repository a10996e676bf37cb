/*
 * Hypercall: a guest asks the VMM for a service by number (guests/hypercall.h), whichever way its
 * architecture makes the call.
 */
#pragma once

#include <stdint.h>

struct vcpu;

struct hypercall {
    unsigned number;   /* 0..255 */
    uint64_t argument; /* BX */
};

enum hypercall_outcome {
    HYPERCALL_DONE,   /* the guest's registers stay as they are */
    HYPERCALL_RESULT, /* *ret_result goes to AX, EAX or RAX, as the guest's code is wide */
    HYPERCALL_WORD,   /* its low 16 bits go to AX */
    HYPERCALL_WAIT,   /* to be called again when something has come from outside */
};

/* Results are all ones where a hypercall was refused. The vCPU's thread, machine's lock held. */
typedef enum hypercall_outcome (*hypercall_fn)(void *device, struct vcpu *vcpu,
                                               const struct hypercall *call, uint64_t *ret_result);

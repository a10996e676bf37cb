/*
 * Hypercalls: the guest asks the VMM for a service by number (guests/hypercall.h).
 *
 * All functions: on the vCPUs' threads, with the machine's lock held.
 */
#pragma once

#include <stdint.h>

#include "device/console.h"
#include "device/guest_ring.h"
#include "kvm/hypercall.h"
#include "kvm/vcpu_kick.h"
#include "shared/exit_stats.h"
#include "shared/guest_end.h"
#include "util/note.h"

struct hypercall_device {
    const struct console *console;
    struct exit_stats *stats;
    struct guest_end *end;
    struct guest_memory *memory;
    struct vcpu_kick *kick; /* that is used to look at the guest's output ring from outside */
    uint64_t vm_id;         /* for the log */
    const char *vm_name;
    struct note *ring_note; /* why a ring of the guest's was refused or ended */

    struct guest_ring ring; /* its state; there is none after a reset */
};

/*
 * Carries out a hypercall. A number that does not exist is counted, logged the first time, and
 * does nothing. A hypercall_fn; device: a struct hypercall_device, filled in by its owner.
 */
enum hypercall_outcome hypercall_device_call(void *device, struct vcpu *vcpu,
                                             const struct hypercall *call, uint64_t *ret_result);

/* Prints what is in the guest's output ring; a ring that the guest broke is ended. */
void hypercall_device_drain(struct hypercall_device *device);

/*
 * Hypercalls: the guest asks the VMM for a service by number (guests/hypercall.h).
 *
 * All functions: the VM's thread.
 */
#pragma once

#include <stdint.h>

#include "device/console.h"
#include "kvm/exit_stats.h"
#include "kvm/guest_end.h"

struct hypercall_device {
    const struct console *console;
    struct exit_stats *stats;
    struct guest_end *end;
    uint64_t vm_id; /* for the log */
    const char *vm_name;
};

/*
 * Carries out hypercall `number` (0..255). argument: BX on x86; a hypercall takes of it what it
 * needs. A number that does not exist is counted, logged the first time, and changes nothing. A
 * hypercall_fn; device: a struct hypercall_device, filled in by its owner.
 */
void hypercall_device_call(void *device, unsigned number, uint64_t argument);

/* "HC_PUTCHAR"; NULL where there is no such hypercall. Any thread. */
const char *hypercall_name(unsigned number);

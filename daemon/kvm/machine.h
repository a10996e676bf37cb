/*
 * Machine: the guest's machine as KVM has it: VM, memory, vCPU, the buses its devices sit on, and
 * the loop that runs it.
 *
 * A VM's thread owns its machine from machine_init() to machine_deinit(); no other thread may touch
 * it, save through its struct vcpu_kick.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kvm/boot.h"
#include "kvm/bus.h"
#include "kvm/exit_stats.h"
#include "kvm/guest_end.h"
#include "kvm/guest_memory.h"
#include "kvm/kvm_host.h"
#include "kvm/vcpu_kick.h"

/* A hypercall (guests/hypercall.h), whichever way the architecture makes it. */
typedef void (*hypercall_fn)(void *device, unsigned number, uint64_t argument);

struct machine {
    const struct kvm_host *host; /* [const] */
    struct vcpu_kick *kick;      /* [const] */
    struct exit_stats *stats;    /* [const] */
    int vm_fd;
    int vcpu_fd;
    struct kvm_run *run;
    struct guest_memory memory;

    struct bus ports;
    struct bus mmio;
    hypercall_fn hypercall;
    void *hypercall_device;

    struct {
        struct kvm_coalesced_mmio_ring *ring; /* NULL: this KVM has none */
        uint32_t size;                        /* entries of the ring */
        enum io_space space;                  /* 0: no address is to be coalesced */
        uint64_t address;
        bool active;
    } coalesced;

    struct guest_end end; /* reason GUEST_END_NONE while the guest is to go on */
};

/*
 * Makes VM, memory of memory_bytes (whole pages) and one vCPU. stats and kick must outlive the
 * machine. Must be called on the thread that will run it (api.rst section 1: vCPU ioctls come from
 * the thread that created the vCPU). Errors: -ENODEV (KVM said no), -ENOMEM; nothing to deinit
 * then.
 */
int machine_init(struct machine *machine, const struct kvm_host *host, uint64_t memory_bytes,
                 struct exit_stats *stats, struct vcpu_kick *kick, struct error *err);
void machine_deinit(struct machine *machine);

/*
 * Lets KVM gather byte writes to one address from the first one on (api.rst section 4.116,
 * KVM_REGISTER_COALESCED_MMIO). A guest that never writes there pays nothing. Does nothing where
 * KVM cannot.
 */
void machine_coalesce(struct machine *machine, enum io_space space, uint64_t address);

/* Puts the vCPU at the guest's entry. Errors: -ENODEV. */
int machine_boot(struct machine *machine, const struct boot *boot, struct error *err);

/* Runs the guest until machine->end has a reason or *requests is not 0. May be called again. */
void machine_run(struct machine *machine, const _Atomic unsigned *requests);

/* For exit handlers: the guest accessed an address, `repeat` times over, size bytes each, lying one
 * after the other in data. Counts one access. */
void machine_access(struct machine *machine, enum io_space space, enum io_direction direction,
                    uint64_t address, void *data, unsigned size, unsigned repeat);

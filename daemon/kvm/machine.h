/*
 * Machine: the guest's machine as KVM has it: VM, memory, vCPUs, the buses its devices sit on.
 *
 * A VM's thread owns its machine from machine_init() to machine_deinit(), and runs its first vCPU;
 * each further vCPU has a thread of its own in between. What they share they touch with the lock
 * held: exit handlers and devices are called so, and need no lock of their own. No other thread may
 * touch a machine, save through its kicks.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kvm/boot.h"
#include "kvm/bus.h"
#include "kvm/guest_memory.h"
#include "kvm/hypercall.h"
#include "kvm/kvm_host.h"
#include "kvm/vcpu.h"
#include "kvm/vcpu_kick.h"
#include "shared/exit_stats.h"
#include "shared/guest_end.h"

enum { MACHINE_CPUS_MAX = 16 };

/* What is to be made. */
struct machine_config {
    uint64_t memory_bytes; /* whole pages */
    unsigned cpus;         /* 1..MACHINE_CPUS_MAX; more than one needs `interrupts` */
    bool interrupts;       /* interrupt controllers for its devices */
};

/* Whose machine it is: what it wants, and what it is told. The functions are called on whichever
 * vCPU's thread it is, with the machine's lock held. */
struct machine_owner {
    const _Atomic unsigned *end;   /* not 0: the guest is to end */
    const _Atomic unsigned *pause; /* odd: it is to stand still; each change is a new wish */
    void (*kicked)(void *context); /* a vCPU was kicked: what is asked from outside is done now */
    void (*exited)(void *context); /* a vCPU came out of the guest, and the exit was handled */
    void (*stands)(void *context); /* no vCPU is in the guest, nor will be before another wish */
    void (*goes_on)(void *context);
    void *context;
};

struct machine {
    const struct kvm_host *host; /* [const] */
    struct machine_config config;
    struct machine_owner owner;
    struct exit_stats *stats;
    int vm_fd;
    struct guest_memory memory;
    struct vcpu vcpus[MACHINE_CPUS_MAX];

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

    pthread_mutex_t lock;
    uint64_t nap_ns; /* [lock] asked of the vCPU that is out now */
    struct {
        bool asleep;              /* so it was found last */
        unsigned times;           /* since one of them fell asleep: see machine_is_asleep() */
    } sleep[MACHINE_CPUS_MAX];    /* [lock] of each vCPU */
    unsigned stand_wish;          /* [lock] the owner's last wish that a vCPU stands still for */
    unsigned standing;            /* [lock] how many of them do */
    bool stands;                  /* [lock] all: the owner was told */
    int64_t stands_since_ns;      /* [lock] monotonic */
    uint64_t stood_ns;            /* [lock] how long it stood still, before */
    struct register_dump stopped; /* [lock] the first vCPU, where it stands */
    struct guest_end end;         /* [lock] reason GUEST_END_NONE while the guest is to go on */
    sem_t vcpu_made;              /* a vCPU's thread has made it, or could not */
};

/*
 * Makes VM, memory and the first vCPU, on the thread that will run it. kicks: one for each vCPU;
 * they, stats and what the owner points to must outlive the machine. Errors: -ENODEV (KVM said no,
 * or lacks what config asks for), -ENOMEM; nothing to deinit then.
 */
int machine_init(struct machine *machine, const struct kvm_host *host,
                 const struct machine_config *config, const struct machine_owner *owner,
                 struct exit_stats *stats, struct vcpu_kick *kicks, struct error *err);
void machine_deinit(struct machine *machine);

/*
 * Lets KVM gather byte writes to one address from the first one on (api.rst section 4.116,
 * KVM_REGISTER_COALESCED_MMIO). A guest that never writes there pays nothing. Does nothing where
 * KVM cannot.
 */
void machine_coalesce(struct machine *machine, enum io_space space, uint64_t address);

/* Never again: the guest waits for an answer to each write. Lock held. */
void machine_stop_coalescing(struct machine *machine);

/* Gives KVM the memory, and puts the first vCPU at the guest's entry; the image is loaded. Errors:
 * -ENODEV, -ENOMEM. */
int machine_boot(struct machine *machine, const struct boot *boot, struct error *err);

/* Runs the guest until machine->end has a reason or the owner wants it to end. kicks:
 * machine_init's own. */
void machine_run(struct machine *machine, struct vcpu_kick *kicks);

/* The vCPU whose exit is handled waits this long before it goes on, or until it is kicked. */
void machine_nap(struct machine *machine, uint64_t ns);

/* For exit handlers: the guest accessed an address, `repeat` times over, size bytes each, lying one
 * after the other in data. Counts one access. */
void machine_access(struct machine *machine, enum io_space space, enum io_direction direction,
                    uint64_t address, void *data, unsigned size, unsigned repeat);

/* For vcpu.c; lock held: carries out what KVM has gathered, in the order the guest wrote it. */
void machine_drain(struct machine *machine);

/* For vcpu.c; lock held: the guest is at its end, as this vCPU saw first, or too. */
void machine_conclude(struct machine *machine, struct vcpu *vcpu);

/* For vcpu.c; lock held: this vCPU was kicked, and was asleep or not: halted, and nothing from
 * outside can wake it. */
void machine_found(struct machine *machine, const struct vcpu *vcpu, bool asleep);

/*
 * Whether no vCPU will ever do anything again. One that was found asleep may have been woken since
 * by another, and not have come to say so: what counts is that each was found asleep twice since
 * the last of them fell asleep.
 */
bool machine_is_asleep(const struct machine *machine);

/* For vcpu.c: this vCPU stands still, as the owner wishes; it goes on. */
void machine_stand(struct machine *machine, struct vcpu *vcpu, unsigned wish);
void machine_go_on(struct machine *machine);

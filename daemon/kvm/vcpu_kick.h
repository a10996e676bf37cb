/*
 * vCPU kick: the one part of a running vCPU that another thread may reach.
 *
 * The asking thread stores its request where the vCPU's thread looks between two KVM_RUNs, then
 * kicks. The kick sets kvm_run->immediate_exit and sends a signal: whether the thread is in the
 * guest, about to enter it or on its way out, KVM_RUN returns with EINTR (api.rst section 5,
 * "immediate_exit"). The signal's handler has nothing left to do. A thread that waits for
 * something in the VMM instead wakes.
 *
 * The lock is held for a few instructions only, and the loop never waits for it: where it is
 * taken, the vCPU is just coming or just going. What must get through is asked again on the next
 * tick.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct kvm_run;
struct kvm_coalesced_mmio_ring;

struct vcpu_kick {
    pthread_mutex_t lock;
    pthread_t thread;                          /* [lock] */
    pid_t tid;                                 /* [lock] the same thread, for the scheduler */
    struct kvm_run *run;                       /* [lock] NULL: no vCPU runs */
    struct kvm_coalesced_mmio_ring *coalesced; /* [lock] NULL: none */
    const uint32_t *produced;                  /* [lock] in guest memory; NULL: no output ring */
    uint32_t consumed;                         /* [atomic] what was taken of it */
    bool hurried;                              /* [atomic] the thread is out of the background */
    sem_t wake;
};

/* The signal that kicks; VM threads leave it unblocked, all others block it. */
int vcpu_kick_signal(void);

/* Installs the signal's empty handler. Once, before the first VM. */
void vcpu_kick_install(void);

void vcpu_kick_init(struct vcpu_kick *kick);
void vcpu_kick_deinit(struct vcpu_kick *kick);

/* The calling thread's vCPU can be kicked from now on; look at the requests after this. */
void vcpu_kick_publish(struct vcpu_kick *kick, struct kvm_run *run,
                       struct kvm_coalesced_mmio_ring *coalesced);

/* The guest writes how much it has put into a ring of its own at `produced`, which holds until the
 * kick is withdrawn; NULL: no more. The vCPU's thread. */
void vcpu_kick_watch(struct vcpu_kick *kick, const uint32_t *produced);

/* How much was taken of that ring. The vCPU's thread. */
void vcpu_kick_consumed(struct vcpu_kick *kick, uint32_t consumed);

/* It cannot be kicked any more; what was published may be unmapped after this. */
void vcpu_kick_withdraw(struct vcpu_kick *kick);

/* Makes the vCPU's thread leave KVM_RUN, or wake, ahead of other guests that want the CPU. Any
 * thread; never blocks. */
void vcpu_kick(struct vcpu_kick *kick);

/* The same, waiting for the lock where another is just kicking. Any thread but the loop's. */
void vcpu_kick_surely(struct vcpu_kick *kick);

/* Kicks only if there is output that the guest made no exit for and nobody has taken: writes that
 * KVM holds, or bytes in a ring. Any thread; never blocks. */
void vcpu_kick_if_undrained(struct vcpu_kick *kick);

/* The CPU time that the vCPU's thread has used, in nanoseconds, guest and VMM; -1: it does not run,
 * or is just coming or going. Any thread; never blocks. */
int64_t vcpu_kick_cpu_ns(struct vcpu_kick *kick);

/* What it was kicked for is looked at after this: kicks so far are forgotten, and the thread goes
 * to the background again, if one took it out of there. The vCPU's thread. */
void vcpu_kick_settle(struct vcpu_kick *kick);

/* Waits until it is kicked, or timeout_ns have passed; UINT64_MAX: without end. May return early.
 * The vCPU's thread. */
void vcpu_kick_wait(struct vcpu_kick *kick, uint64_t timeout_ns);

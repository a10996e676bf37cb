/*
 * vCPU kick: the one part of a running vCPU that another thread may reach.
 *
 * The asking thread stores its request where the vCPU's thread looks between two KVM_RUNs, then
 * kicks. The kick sets kvm_run->immediate_exit and sends a signal: whether the thread is in the
 * guest, about to enter it or on its way out, KVM_RUN returns with EINTR (api.rst section 5,
 * "immediate_exit"). The signal's handler has nothing left to do.
 *
 * The lock is held for a few instructions only, and the asking side never waits for it: where it is
 * taken, the vCPU is just coming or just going. What must get through is asked again on the next
 * tick.
 */
#pragma once

#include <pthread.h>
#include <sys/types.h>

struct kvm_run;
struct kvm_coalesced_mmio_ring;

struct vcpu_kick {
    pthread_mutex_t lock;
    pthread_t thread;                          /* [lock] */
    pid_t tid;                                 /* [lock] the same thread, for the scheduler */
    struct kvm_run *run;                       /* [lock] NULL: no vCPU runs */
    struct kvm_coalesced_mmio_ring *coalesced; /* [lock] NULL: none */
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

/* It cannot be kicked any more; what was published may be unmapped after this. */
void vcpu_kick_withdraw(struct vcpu_kick *kick);

/* Makes the vCPU's thread leave KVM_RUN, ahead of other guests that want the CPU. Any thread; never
 * blocks. */
void vcpu_kick(struct vcpu_kick *kick);

/* Kicks only if KVM holds coalesced writes that the vCPU's thread has not drained. Any thread;
 * never blocks. */
void vcpu_kick_if_undrained(struct vcpu_kick *kick);

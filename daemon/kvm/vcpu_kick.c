#include "kvm/vcpu_kick.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "util/schedule.h"

int vcpu_kick_signal(void)
{
    return SIGUSR1;
}

static void on_kick(int signal)
{
    (void)signal; /* it has interrupted KVM_RUN: that is all it is for */
}

void vcpu_kick_install(void)
{
    struct sigaction action = { .sa_handler = on_kick };

    sigaction(vcpu_kick_signal(), &action, NULL);
}

void vcpu_kick_init(struct vcpu_kick *kick)
{
    *kick = (struct vcpu_kick){ 0 };
    pthread_mutex_init(&kick->lock, NULL);
}

void vcpu_kick_deinit(struct vcpu_kick *kick)
{
    pthread_mutex_destroy(&kick->lock);
}

void vcpu_kick_publish(struct vcpu_kick *kick, struct kvm_run *run,
                       struct kvm_coalesced_mmio_ring *coalesced)
{
    pthread_mutex_lock(&kick->lock);
    kick->thread = pthread_self();
    kick->tid = gettid();
    kick->run = run;
    kick->coalesced = coalesced;
    pthread_mutex_unlock(&kick->lock);
}

void vcpu_kick_withdraw(struct vcpu_kick *kick)
{
    pthread_mutex_lock(&kick->lock);
    kick->run = NULL;
    kick->coalesced = NULL;
    pthread_mutex_unlock(&kick->lock);
}

/* The thread is alive: it withdraws, under the lock we hold, before it ends. */
static void kick_locked(struct vcpu_kick *kick)
{
    __atomic_store_n(&kick->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    pthread_kill(kick->thread, vcpu_kick_signal());
}

void vcpu_kick(struct vcpu_kick *kick)
{
    if (pthread_mutex_trylock(&kick->lock) != 0)
        return;
    if (kick->run) {
        schedule_hurry(kick->tid);
        kick_locked(kick);
    }
    pthread_mutex_unlock(&kick->lock);
}

void vcpu_kick_if_undrained(struct vcpu_kick *kick)
{
    if (pthread_mutex_trylock(&kick->lock) != 0)
        return;
    if (kick->coalesced && __atomic_load_n(&kick->coalesced->first, __ATOMIC_RELAXED) !=
                               __atomic_load_n(&kick->coalesced->last, __ATOMIC_RELAXED))
        kick_locked(kick);
    pthread_mutex_unlock(&kick->lock);
}

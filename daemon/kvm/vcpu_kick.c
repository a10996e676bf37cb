#include "kvm/vcpu_kick.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "util/clock.h"
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
    sem_init(&kick->wake, 0, 0);
}

void vcpu_kick_deinit(struct vcpu_kick *kick)
{
    sem_destroy(&kick->wake);
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

void vcpu_kick_watch(struct vcpu_kick *kick, const uint32_t *produced)
{
    pthread_mutex_lock(&kick->lock);
    kick->produced = produced;
    pthread_mutex_unlock(&kick->lock);
}

void vcpu_kick_consumed(struct vcpu_kick *kick, uint32_t consumed)
{
    __atomic_store_n(&kick->consumed, consumed, __ATOMIC_RELAXED);
}

void vcpu_kick_withdraw(struct vcpu_kick *kick)
{
    pthread_mutex_lock(&kick->lock);
    kick->run = NULL;
    kick->coalesced = NULL;
    kick->produced = NULL;
    pthread_mutex_unlock(&kick->lock);
}

/* The thread is alive: it withdraws, under the lock we hold, before it ends. */
static void kick_locked(struct vcpu_kick *kick)
{
    __atomic_store_n(&kick->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    pthread_kill(kick->thread, vcpu_kick_signal());
    sem_post(&kick->wake);
}

static void hurry_locked(struct vcpu_kick *kick)
{
    if (!kick->run)
        return;
    schedule_hurry(kick->tid);
    __atomic_store_n(&kick->hurried, true, __ATOMIC_RELAXED);
    kick_locked(kick);
}

void vcpu_kick(struct vcpu_kick *kick)
{
    if (pthread_mutex_trylock(&kick->lock) != 0)
        return;
    hurry_locked(kick);
    pthread_mutex_unlock(&kick->lock);
}

void vcpu_kick_surely(struct vcpu_kick *kick)
{
    pthread_mutex_lock(&kick->lock);
    hurry_locked(kick);
    pthread_mutex_unlock(&kick->lock);
}

static bool has_undrained(const struct vcpu_kick *kick)
{
    if (kick->coalesced && __atomic_load_n(&kick->coalesced->first, __ATOMIC_RELAXED) !=
                               __atomic_load_n(&kick->coalesced->last, __ATOMIC_RELAXED))
        return true;
    return kick->produced && __atomic_load_n(kick->produced, __ATOMIC_RELAXED) !=
                                 __atomic_load_n(&kick->consumed, __ATOMIC_RELAXED);
}

void vcpu_kick_if_undrained(struct vcpu_kick *kick)
{
    if (pthread_mutex_trylock(&kick->lock) != 0)
        return;
    if (kick->run && has_undrained(kick))
        kick_locked(kick);
    pthread_mutex_unlock(&kick->lock);
}

/* All kicks so far are one. */
static void forget_kicks(struct vcpu_kick *kick)
{
    while (sem_trywait(&kick->wake) == 0)
        ;
}

int64_t vcpu_kick_cpu_ns(struct vcpu_kick *kick)
{
    struct timespec used;
    clockid_t clock;
    int64_t ns = -1;

    if (pthread_mutex_trylock(&kick->lock) != 0)
        return -1;
    /* The thread is alive, as for a kick. */
    if (kick->run && pthread_getcpuclockid(kick->thread, &clock) == 0 &&
        clock_gettime(clock, &used) == 0)
        ns = used.tv_sec * CLOCK_NS_PER_SEC + used.tv_nsec;
    pthread_mutex_unlock(&kick->lock);
    return ns;
}

void vcpu_kick_settle(struct vcpu_kick *kick)
{
    forget_kicks(kick);
    if (__atomic_exchange_n(&kick->hurried, false, __ATOMIC_RELAXED))
        schedule_background();
}

void vcpu_kick_wait(struct vcpu_kick *kick, uint64_t timeout_ns)
{
    if (timeout_ns == UINT64_MAX) {
        sem_wait(&kick->wake);
    } else {
        struct timespec until = clock_timespec((uint64_t)clock_monotonic_ns() + timeout_ns);

        sem_clockwait(&kick->wake, CLOCK_MONOTONIC, &until);
    }
    forget_kicks(kick);
}

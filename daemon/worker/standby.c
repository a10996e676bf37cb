#include "worker/standby.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "kvm/vcpu_kick.h"
#include "worker/guest.h"

/* A guest's thread calls nothing deep: what it needs of stack is a few KiB. */
#define STACK_SIZE ((size_t)128 * 1024)

enum { WAITING_MAX = 2 };

/* One thread, on its own stack. */
struct standby_thread {
    sem_t handed;
    struct guest *guest; /* set before `handed` is posted */
    struct standby_thread *next;
};

struct standby {
    pthread_attr_t attributes; /* [const] */
    pthread_mutex_t lock;
    struct standby_thread *waiting; /* [lock] the last to come is the first to go */
    unsigned count;                 /* [lock] of them, and of those that are about to wait */
};

/* What a new thread begins with. */
struct errand {
    struct standby *standby;
    struct guest *guest; /* NULL: it is to wait */
};

/* Waits for a guest. */
static struct guest *wait_for_guest(struct standby *standby)
{
    struct standby_thread self = { .guest = NULL };

    sem_init(&self.handed, 0, 0);
    pthread_mutex_lock(&standby->lock);
    self.next = standby->waiting;
    standby->waiting = &self;
    pthread_mutex_unlock(&standby->lock);
    while (sem_wait(&self.handed) < 0) /* EINTR: a kick that came late */
        ;
    sem_destroy(&self.handed);
    return self.guest;
}

/* Whether a thread that has nothing to do is to wait; false: enough others do. */
static bool may_wait(struct standby *standby)
{
    bool may;

    pthread_mutex_lock(&standby->lock);
    may = standby->count < WAITING_MAX;
    if (may)
        standby->count++;
    pthread_mutex_unlock(&standby->lock);
    return may;
}

static void *standby_main(void *argument)
{
    struct errand errand = *(struct errand *)argument;

    free(argument);
    do {
        if (!errand.guest)
            errand.guest = wait_for_guest(errand.standby);
        guest_thread_run(errand.guest);
        errand.guest = NULL;
    } while (may_wait(errand.standby));
    return NULL;
}

/* guest: NULL, to wait for one. */
static int add_thread(struct standby *standby, struct guest *guest)
{
    struct errand *errand = malloc(sizeof(*errand));
    pthread_t thread;

    if (!errand)
        return -EAGAIN;
    *errand = (struct errand){ .standby = standby, .guest = guest };
    if (pthread_create(&thread, &standby->attributes, standby_main, errand) != 0) {
        free(errand);
        return -EAGAIN;
    }
    return 0;
}

/* All but the kick, and those that a thread's own instruction causes: blocked, these would end the
 * process in place of their handlers (sigprocmask(2), "Notes"). A state file that was cut short is
 * a SIGBUS. */
static void fill_mask(sigset_t *mask)
{
    static const int faults[] = { SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGSYS, SIGTRAP };

    sigfillset(mask);
    sigdelset(mask, vcpu_kick_signal());
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(mask, faults[i]);
}

int standby_new(struct standby **ret)
{
    struct standby *standby = calloc(1, sizeof(*standby));
    sigset_t mask;

    if (!standby)
        return -ENOMEM;
    fill_mask(&mask);
    pthread_attr_init(&standby->attributes);
    pthread_attr_setdetachstate(&standby->attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&standby->attributes, STACK_SIZE);
    pthread_attr_setsigmask_np(&standby->attributes, &mask);
    pthread_mutex_init(&standby->lock, NULL);
    *ret = standby;
    standby_replenish(standby);
    return 0;
}

int standby_run(struct standby *standby, struct guest *guest, struct error *err)
{
    struct standby_thread *thread;

    pthread_mutex_lock(&standby->lock);
    thread = standby->waiting;
    if (thread) {
        standby->waiting = thread->next;
        standby->count--;
    }
    pthread_mutex_unlock(&standby->lock);
    if (thread) {
        thread->guest = guest;
        sem_post(&thread->handed);
        return 0;
    }
    if (add_thread(standby, guest) < 0)
        return error_set(err, -EAGAIN, "cannot start a thread for the VM: no more are to be had");
    return 0;
}

void standby_replenish(struct standby *standby)
{
    if (may_wait(standby) && add_thread(standby, NULL) < 0) {
        pthread_mutex_lock(&standby->lock);
        standby->count--; /* the next start makes one itself, or tells */
        pthread_mutex_unlock(&standby->lock);
    }
}

#include "util/closer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/clock.h"

enum {
    THREADS_MAX = 8,
    FULL = 256, /* descriptors that wait */
    STACK_SIZE = 64 * 1024,
    IDLE_LOOKS = 50, /* for a second */
    BATCH = 32,      /* so many are worth being woken for */
};

/* How often an idle thread looks. */
#define LOOK_NS (20 * CLOCK_NS_PER_MS)

struct closer {
    pthread_mutex_t lock;
    pthread_cond_t added;      /* or freed */
    pthread_attr_t attributes; /* [const] detached, a small stack */
    int *fds;                  /* [lock] to be closed */
    size_t count, capacity;    /* [lock] */
    unsigned threads;          /* [lock] */
    unsigned closing;          /* [lock] of them, inside close(2): held up, maybe */
    unsigned idle;             /* [lock] of them, waiting for more */
    bool freed;                /* [lock] by its owner: the last thread frees it */
};

static void destroy(struct closer *closer)
{
    pthread_attr_destroy(&closer->attributes);
    pthread_cond_destroy(&closer->added);
    pthread_mutex_destroy(&closer->lock);
    free(closer->fds);
    free(closer);
}

static void *closer_main(void *argument);

/* [lock] held. Sees that there is a thread for what waits: one that is idle looks before long. If
 * none can be made, it waits for the next that is closed. */
static void provide_thread(struct closer *closer)
{
    sigset_t all, old;
    pthread_t thread;

    if (closer->count == 0 || closer->closing < closer->threads || closer->threads == THREADS_MAX) {
        if (closer->idle > 0 && closer->count >= BATCH)
            pthread_cond_signal(&closer->added);
        return;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&thread, &closer->attributes, closer_main, closer) == 0)
        closer->threads++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* [lock] held. Whether there is something to close, after a while if need be. */
static bool wait_for_more(struct closer *closer)
{
    closer->idle++;
    for (int i = 0; i < IDLE_LOOKS && closer->count == 0 && !closer->freed; i++) {
        struct timespec until = clock_timespec((uint64_t)(clock_monotonic_ns() + LOOK_NS));

        pthread_cond_timedwait(&closer->added, &closer->lock, &until);
    }
    closer->idle--;
    return closer->count > 0;
}

static void *closer_main(void *argument)
{
    struct closer *closer = argument;
    bool last;

    pthread_mutex_lock(&closer->lock);
    while (closer->count > 0 || wait_for_more(closer)) {
        int fd = closer->fds[--closer->count];

        closer->closing++;
        provide_thread(closer);
        pthread_mutex_unlock(&closer->lock);
        close(fd);
        pthread_mutex_lock(&closer->lock);
        closer->closing--;
    }
    last = --closer->threads == 0 && closer->freed;
    pthread_mutex_unlock(&closer->lock);
    if (last)
        destroy(closer);
    return NULL;
}

int closer_new(struct closer **ret)
{
    struct closer *closer = calloc(1, sizeof(*closer));
    pthread_condattr_t clock;

    if (!closer)
        return -ENOMEM;
    pthread_mutex_init(&closer->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&closer->added, &clock);
    pthread_condattr_destroy(&clock);
    pthread_attr_init(&closer->attributes);
    pthread_attr_setdetachstate(&closer->attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&closer->attributes, STACK_SIZE);
    *ret = closer;
    return 0;
}

void closer_free(struct closer *closer)
{
    bool last;

    if (!closer)
        return;
    pthread_mutex_lock(&closer->lock);
    closer->freed = true;
    pthread_cond_broadcast(&closer->added);
    last = closer->threads == 0;
    pthread_mutex_unlock(&closer->lock);
    if (last)
        destroy(closer);
}

/* [lock] held. Without memory the descriptor stays open: better than to wait here. */
static void add(struct closer *closer, int fd)
{
    if (closer->count == closer->capacity) {
        size_t capacity = closer->capacity ? closer->capacity * 2 : 16;
        int *fds = realloc(closer->fds, capacity * sizeof(*fds));

        if (!fds)
            return;
        closer->fds = fds;
        closer->capacity = capacity;
    }
    closer->fds[closer->count++] = fd;
}

void closer_close(struct closer *closer, int fd)
{
    if (fd < 0)
        return;
    pthread_mutex_lock(&closer->lock);
    add(closer, fd);
    provide_thread(closer);
    pthread_mutex_unlock(&closer->lock);
}

bool closer_is_full(struct closer *closer)
{
    bool full;

    pthread_mutex_lock(&closer->lock);
    full = closer->count >= FULL;
    pthread_mutex_unlock(&closer->lock);
    return full;
}

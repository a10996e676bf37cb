#include "attempt.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct attempt {
    struct place place; /* [const] */
    int event_fd;       /* [const] readable: done */
    atomic_uint users;  /* who asked, and the thread; the last one frees */
    atomic_bool done;   /* what is below is the asker's; before, it is the thread's */
    int result;
    struct connection *connection;
    struct error err;
};

static void unref(struct attempt *attempt)
{
    if (atomic_fetch_sub(&attempt->users, 1) > 1)
        return;
    connection_free(attempt->connection);
    if (attempt->event_fd >= 0)
        close(attempt->event_fd);
    free(attempt);
}

static void *thread(void *context)
{
    struct attempt *attempt = context;

    attempt->result = place_open(&attempt->place, &attempt->connection, &attempt->err);
    atomic_store(&attempt->done, true);
    eventfd_write(attempt->event_fd, 1);
    unref(attempt);
    return NULL;
}

/* Nobody joins it: to end vmmctl must not take until the attempt is over. */
static int spawn(struct attempt *attempt)
{
    pthread_attr_t attributes;
    pthread_t id;
    int r;

    r = pthread_attr_init(&attributes);
    if (r != 0)
        return -r;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    atomic_fetch_add(&attempt->users, 1);
    r = pthread_create(&id, &attributes, thread, attempt);
    if (r != 0)
        atomic_fetch_sub(&attempt->users, 1);
    pthread_attr_destroy(&attributes);
    return -r;
}

int attempt_new(const struct place *place, struct attempt **ret)
{
    _cleanup_(attempt_freep) struct attempt *attempt = calloc(1, sizeof(*attempt));
    int r;

    if (!attempt)
        return -ENOMEM;
    attempt->place = *place;
    atomic_init(&attempt->users, 1);
    atomic_init(&attempt->done, false);
    attempt->event_fd = eventfd(0, EFD_CLOEXEC);
    if (attempt->event_fd < 0)
        return -errno;
    r = spawn(attempt);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(attempt);
    return 0;
}

struct attempt *attempt_free(struct attempt *attempt)
{
    if (attempt)
        unref(attempt);
    return NULL;
}

int attempt_fd(const struct attempt *attempt)
{
    return attempt->event_fd;
}

bool attempt_is_done(const struct attempt *attempt)
{
    return atomic_load(&attempt->done);
}

int attempt_take(struct attempt *attempt, struct connection **ret, struct error *err)
{
    if (attempt->result < 0) {
        *err = attempt->err;
        return attempt->result;
    }
    *ret = TAKE_PTR(attempt->connection);
    return 0;
}

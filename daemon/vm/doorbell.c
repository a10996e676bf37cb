#include "vm/doorbell.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

struct doorbell {
    int fd;
    struct event *event;
    doorbell_fn fn;
    _Atomic(struct doorbell_button *) rung; /* a stack of those with news */
    _Atomic unsigned ringing;               /* threads inside doorbell_ring() */
};

/* Turns the stack round: first rung, first served. */
static struct doorbell_button *take_rung(struct doorbell *doorbell)
{
    struct doorbell_button *stack = atomic_exchange(&doorbell->rung, NULL), *queue = NULL;

    while (stack) {
        struct doorbell_button *next = stack->next;

        stack->next = queue;
        queue = stack;
        stack = next;
    }
    return queue;
}

static void on_ring(evutil_socket_t fd, short what, void *context)
{
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0)
        return; /* EAGAIN: another turn took it */
    doorbell_answer(context);
}

void doorbell_answer(struct doorbell *doorbell)
{
    struct doorbell_button *button = take_rung(doorbell);

    while (button) {
        struct doorbell_button *next = button->next;

        /* from here on its owner may ring again, and so link it anew */
        doorbell->fn(button, atomic_exchange(&button->news, 0));
        button = next;
    }
}

int doorbell_new(struct event_base *base, doorbell_fn fn, struct doorbell **ret)
{
    struct doorbell *doorbell = calloc(1, sizeof(*doorbell));
    int r = -ENOMEM;

    if (!doorbell)
        return r;
    doorbell->fn = fn;
    doorbell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (doorbell->fd < 0) {
        r = -errno;
        free(doorbell);
        return r;
    }
    doorbell->event = event_new(base, doorbell->fd, EV_READ | EV_PERSIST, on_ring, doorbell);
    if (!doorbell->event || event_add(doorbell->event, NULL) < 0) {
        doorbell_free(doorbell);
        return r;
    }
    *ret = doorbell;
    return 0;
}

void doorbell_free(struct doorbell *doorbell)
{
    if (!doorbell)
        return;
    while (atomic_load(&doorbell->ringing) > 0)
        sched_yield();
    if (doorbell->event)
        event_free(doorbell->event);
    close(doorbell->fd);
    free(doorbell);
}

static void push(struct doorbell *doorbell, struct doorbell_button *button)
{
    const uint64_t one = 1;
    struct doorbell_button *top;

    top = atomic_load(&doorbell->rung);
    do {
        button->next = top;
    } while (!atomic_compare_exchange_weak(&doorbell->rung, &top, button));

    /* a full counter cannot be: each write is followed by a read of the whole */
    if (!top && write(doorbell->fd, &one, sizeof(one)) < 0)
        abort();
}

void doorbell_ring(struct doorbell *doorbell, struct doorbell_button *button, unsigned news)
{
    atomic_fetch_add(&doorbell->ringing, 1);
    /* rung already, and not yet looked at: then the bits are enough */
    if (atomic_fetch_or(&button->news, news) == 0)
        push(doorbell, button);
    atomic_fetch_sub(&doorbell->ringing, 1);
}

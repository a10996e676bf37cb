#include "shared/input_queue.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct input_queue {
    _Atomic size_t put;   /* bytes ever; the loop writes it */
    _Atomic size_t taken; /* bytes ever; the VM's thread writes it */
    _Atomic bool closed;
    unsigned char bytes[INPUT_QUEUE_CAPACITY];
};

struct input_queue *input_queue_new(void)
{
    return calloc(1, sizeof(struct input_queue));
}

void input_queue_free(struct input_queue *queue)
{
    free(queue);
}

/* The bytes of the queue from a position on that lie in one piece. */
static size_t straight(size_t position, size_t size)
{
    size_t rest = INPUT_QUEUE_CAPACITY - position % INPUT_QUEUE_CAPACITY;

    return size < rest ? size : rest;
}

size_t input_queue_put(struct input_queue *queue, const void *data, size_t size)
{
    size_t put = atomic_load_explicit(&queue->put, memory_order_relaxed);
    size_t room =
        INPUT_QUEUE_CAPACITY - (put - atomic_load_explicit(&queue->taken, memory_order_acquire));
    size_t n = size < room ? size : room, first = straight(put, n);

    memcpy(queue->bytes + put % INPUT_QUEUE_CAPACITY, data, first);
    memcpy(queue->bytes, (const unsigned char *)data + first, n - first);
    /* seq_cst: pairs with a guest's thread that looks once more before it waits */
    atomic_store(&queue->put, put + n);
    return n;
}

void input_queue_close(struct input_queue *queue)
{
    atomic_store(&queue->closed, true);
}

size_t input_queue_length(const struct input_queue *queue)
{
    size_t taken = atomic_load(&queue->taken); /* first: it never passes `put` */

    return atomic_load(&queue->put) - taken;
}

bool input_queue_is_closed(const struct input_queue *queue)
{
    return atomic_load(&queue->closed);
}

size_t input_queue_take(struct input_queue *queue, void *data, size_t size)
{
    size_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    size_t there = atomic_load(&queue->put) - taken;
    size_t n = size < there ? size : there, first = straight(taken, n);

    memcpy(data, queue->bytes + taken % INPUT_QUEUE_CAPACITY, first);
    memcpy((unsigned char *)data + first, queue->bytes, n - first);
    /* seq_cst: pairs with a loop that says it waits for room and then looks again */
    atomic_store(&queue->taken, taken + n);
    return n;
}

bool input_queue_is_at_end(const struct input_queue *queue)
{
    return input_queue_is_closed(queue) && input_queue_length(queue) == 0;
}

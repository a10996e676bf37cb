#include "shared/input_queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "util/cleanup.h"
#include "util/sealed_memory.h"

struct input_queue {
    _Atomic uint64_t put;   /* bytes ever; the loop writes it, or who moves a queue to this one */
    _Atomic uint64_t taken; /* bytes ever; the VM's thread writes it */
    _Atomic uint32_t closed;
    _Atomic uint32_t awaits_move;
    unsigned char reserved[40];
    unsigned char bytes[INPUT_QUEUE_CAPACITY];
};

int input_queue_new(struct input_queue **ret, int *ret_fd)
{
    _cleanup_close_ int fd = sealed_memory_new("vmmd-input", sizeof(**ret));
    int r;

    if (fd < 0)
        return fd;
    r = input_queue_map(fd, ret);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int input_queue_map(int fd, struct input_queue **ret)
{
    void *map;
    int r = sealed_memory_check(fd, sizeof(**ret));

    if (r < 0)
        return r;
    map = mmap(NULL, sizeof(**ret), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    *ret = map;
    return 0;
}

void input_queue_free(struct input_queue *queue)
{
    if (queue)
        munmap(queue, sizeof(*queue));
}

/* The bytes of the queue from a position on that lie in one piece. */
static size_t straight(uint64_t position, size_t size)
{
    size_t rest = INPUT_QUEUE_CAPACITY - position % INPUT_QUEUE_CAPACITY;

    return size < rest ? size : rest;
}

/* Bytes between the counters; as many as there can be, where they make no sense. */
static size_t waiting(uint64_t put, uint64_t taken)
{
    return put - taken < INPUT_QUEUE_CAPACITY ? (size_t)(put - taken) : INPUT_QUEUE_CAPACITY;
}

size_t input_queue_put(struct input_queue *queue, const void *data, size_t size)
{
    uint64_t put = atomic_load_explicit(&queue->put, memory_order_relaxed);
    uint64_t taken = atomic_load_explicit(&queue->taken, memory_order_acquire);
    size_t room = input_queue_is_ready(queue) ? INPUT_QUEUE_CAPACITY - waiting(put, taken) : 0;
    size_t n = size < room ? size : room, first = straight(put, n);

    memcpy(queue->bytes + put % INPUT_QUEUE_CAPACITY, data, first);
    memcpy(queue->bytes, (const unsigned char *)data + first, n - first);
    /* seq_cst: pairs with a guest's thread that looks once more before it waits */
    atomic_store(&queue->put, put + n);
    return n;
}

void input_queue_close(struct input_queue *queue)
{
    atomic_store(&queue->closed, 1);
}

size_t input_queue_length(const struct input_queue *queue)
{
    uint64_t taken = atomic_load(&queue->taken); /* first: it never passes `put` */

    return waiting(atomic_load(&queue->put), taken);
}

bool input_queue_is_closed(const struct input_queue *queue)
{
    return atomic_load(&queue->closed) != 0;
}

/* The copy, and zeros in its place. */
static void take_piece(unsigned char *from, void *to, size_t size)
{
    memcpy(to, from, size);
    memset(from, 0, size);
}

size_t input_queue_take(struct input_queue *queue, void *data, size_t size)
{
    uint64_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    size_t there = waiting(atomic_load(&queue->put), taken);
    size_t n = size < there ? size : there, first = straight(taken, n);

    take_piece(queue->bytes + taken % INPUT_QUEUE_CAPACITY, data, first);
    take_piece(queue->bytes, (unsigned char *)data + first, n - first);
    /* seq_cst: pairs with a loop that says it waits for room and then looks again */
    atomic_store(&queue->taken, taken + n);
    return n;
}

bool input_queue_is_at_end(const struct input_queue *queue)
{
    return input_queue_is_closed(queue) && input_queue_length(queue) == 0;
}

void input_queue_await_move(struct input_queue *queue)
{
    atomic_store(&queue->awaits_move, 1);
}

bool input_queue_is_ready(const struct input_queue *queue)
{
    return atomic_load(&queue->awaits_move) == 0;
}

void input_queue_move(struct input_queue *from, struct input_queue *to)
{
    if (from) {
        size_t n = input_queue_take(from, to->bytes, INPUT_QUEUE_CAPACITY);

        atomic_store(&to->put, n);
        if (input_queue_is_closed(from))
            input_queue_close(to);
    }
    atomic_store(&to->awaits_move, 0);
}

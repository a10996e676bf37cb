#include "shared/output_ring.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util/shared_copy.h"

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t output_ring_first_size(uint64_t capacity)
{
    return min_u64(capacity, OUTPUT_RING_STEP);
}

/* Only before the first byte is overwritten: until then a byte's place does not depend on the size.
 */
static void grow(struct output_ring *ring, uint64_t size)
{
    if (ring->reserve(ring->context, size * 2) == 0)
        atomic_store(&ring->state->size, size * 2);
    else
        atomic_store(&ring->state->capacity, size);
}

void output_ring_append(struct output_ring *ring, const void *data, size_t size)
{
    struct output_ring_state *state = ring->state;
    const unsigned char *from = data;

    while (size > 0) {
        uint64_t end = atomic_load_explicit(&state->end, memory_order_relaxed);
        uint64_t room = atomic_load_explicit(&state->size, memory_order_relaxed);
        uint64_t n;

        if (room == 0) /* the file was cut short, and reads as zeros: the guest is about to end */
            return;
        if (end == room && room < atomic_load_explicit(&state->capacity, memory_order_relaxed)) {
            grow(ring, room);
            continue;
        }
        n = min_u64(size, room - end % room);
        if (end + n > room)
            atomic_store_explicit(&state->claimed, end + n, memory_order_relaxed);
        shared_store(ring->bytes + end % room, from, n);
        /* seq_cst: pairs with a reader that says it is waiting and then looks again */
        atomic_store(&state->end, end + n);
        from += n;
        size -= n;
    }
}

uint64_t output_ring_end(const struct output_ring *ring)
{
    return atomic_load(&ring->state->end);
}

/* The counters, as one reader uses them throughout. */
struct counters {
    uint64_t first; /* the oldest position still held */
    uint64_t end;
    uint64_t size;
};

/*
 * Whether they make sense. The order of the loads: what is claimed before the end, so that first is
 * not above end; the size last, for the end may lie in what the ring has just grown by. Claimed and
 * size are both final once claimed is not 0.
 */
static bool read_counters(const struct output_ring *ring, struct counters *ret)
{
    uint64_t claimed = atomic_load(&ring->state->claimed);
    uint64_t end = atomic_load(&ring->state->end);
    uint64_t size = atomic_load(&ring->state->size);
    uint64_t first = claimed > size ? claimed - size : 0;

    *ret = (struct counters){ .first = first, .end = end, .size = size };
    return size > 0 && size <= ring->mapped && (size & (size - 1)) == 0 && first <= end &&
           end <= INT64_MAX;
}

uint64_t output_ring_first(const struct output_ring *ring)
{
    struct counters counters;

    return read_counters(ring, &counters) ? counters.first : 0;
}

static void copy_out(const struct output_ring *ring, uint64_t size, uint64_t start,
                     unsigned char *to, uint64_t n)
{
    uint64_t at = start % size, straight = min_u64(n, size - at);

    shared_load(ring->bytes + at, to, straight);
    shared_load(ring->bytes, to + straight, n - straight);
}

int output_ring_read(const struct output_ring *ring, uint64_t position, void *data, size_t size,
                     struct output_chunk *ret)
{
    struct counters before, after;
    uint64_t start, gone;
    unsigned char *to = data;
    size_t n;

    if (!read_counters(ring, &before) || position > before.end)
        return -ERANGE;
    start = position > before.first ? position : before.first;
    n = min_u64(min_u64(size, before.size), before.end - start);
    copy_out(ring, before.size, start, to, n);

    /* what was overwritten while it was copied is not what it claims to be */
    if (!read_counters(ring, &after))
        return -ERANGE;
    gone = after.first > start ? min_u64(after.first - start, n) : 0;
    memmove(to, to + gone, n - gone);
    *ret = (struct output_chunk){ .start = start + gone, .length = n - gone };
    return 0;
}

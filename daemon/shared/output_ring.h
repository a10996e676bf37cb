/*
 * Output ring: the last bytes a guest wrote.
 *
 * The VM's thread appends, in its worker; any thread of any process reads. A full ring drops its
 * oldest bytes: a reader must never hold a guest back. There is no lock, so that a VM's thread that
 * the scheduler has set aside in the middle of an append cannot hold up the loop.
 *
 * Who writes is not to be believed by who reads: each read takes a copy of the counters, and a copy
 * that makes no sense is an empty ring.
 *
 * Positions count from the first byte the guest ever wrote, so a reader that remembers where it
 * stopped can tell exactly what it has missed.
 *
 * The ring's memory is a shared mapping of the VM's state file: what was appended is there for the
 * next daemon, however this one ends. Space is reserved in steps before it is written: running out
 * of disk is a fact the ring learns, not a SIGBUS.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OUTPUT_RING_STEP = 16 * 1024, /* bytes; the first reservation, doubled by each later one */
    OUTPUT_RING_CAPACITY_MIN = 4096,
};

/* What is kept in the file. Layout fixed. */
struct output_ring_state {
    _Atomic uint64_t capacity; /* the most it may hold: a power of two */
    _Atomic uint64_t size;     /* what is reserved, and in use: a power of two, at most capacity */
    _Atomic uint64_t claimed;  /* bytes before claimed - size may be overwritten already */
    _Atomic uint64_t end;      /* bytes ever appended */
};

/* Reserves file space for bytes [0, size) of the ring. 0 or a negative errno. */
typedef int (*output_ring_reserve_fn)(void *context, uint64_t size);

struct output_ring {
    struct output_ring_state *state;
    unsigned char *bytes;
    uint64_t mapped;                /* bytes of the ring that are mapped: no size is larger */
    output_ring_reserve_fn reserve; /* the VM's thread only; NULL: it only reads */
    void *context;
};

/* A read's outcome: bytes [start, start + length). start > the position asked for: a gap. */
struct output_chunk {
    uint64_t start;
    size_t length;
};

/* The first reservation of a ring: bytes. capacity: a power of two. Any thread. */
uint64_t output_ring_first_size(uint64_t capacity);

/* Never fails, never waits; a system call only where the ring grows. What is appended to a ring
 * whose file was cut short is lost. The VM's thread. */
void output_ring_append(struct output_ring *ring, const void *data, size_t size);

/* Bytes ever appended, as who appends says. Any thread. */
uint64_t output_ring_end(const struct output_ring *ring);

/* The oldest position still held. Any thread. */
uint64_t output_ring_first(const struct output_ring *ring);

/* Copies up to size bytes, the oldest still held from position on. length 0: nothing new yet, or
 * all of it was overwritten meanwhile: ret->start > position tells, and the next read gets more.
 * Errors: -ERANGE (position lies in the future; or the counters make no sense). Any thread. */
int output_ring_read(const struct output_ring *ring, uint64_t position, void *data, size_t size,
                     struct output_chunk *ret);

/*
 * Exit statistics of a VM: always on, so each count is one plain store.
 *
 * The VM's thread is the only writer; any thread may read while it runs and sees each counter
 * whole. The struct is part of the VM's state file (shared/vm_file.h): its layout is fixed, and the
 * counts outlive the daemon.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint64_t counter_t;

enum {
    EXIT_STATS_REASONS = 64, /* KVM_EXIT_* numbers; larger ones are counted in the last */
    EXIT_STATS_HYPERCALLS = 16,
    EXIT_STATS_IO_ROWS = 96,
};

enum io_space { IO_SPACE_PORT = 1, IO_SPACE_MEMORY = 2 };
enum io_direction { IO_IN = 1, IO_OUT = 2 };

/* Accesses to one address in one direction. */
struct io_row {
    counter_t address;
    counter_t count; /* 0: the row is free */
    _Atomic uint32_t space;
    _Atomic uint32_t direction;
    _Atomic uint32_t handled; /* 0: no device is there */
    uint32_t reserved;
};

struct exit_stats {
    counter_t exits;
    counter_t guest_ns; /* wall clock inside KVM_RUN */
    counter_t vmm_ns;   /* wall clock between one KVM_RUN and the next */
    counter_t coalesced;
    counter_t unknown_hypercalls;
    counter_t io_without_row; /* the table was full */
    counter_t by_reason[EXIT_STATS_REASONS];
    counter_t hypercalls[EXIT_STATS_HYPERCALLS];
    struct io_row io[EXIT_STATS_IO_ROWS]; /* open addressing by exit_stats_count_io() */
};

static_assert(sizeof(struct io_row) == 32, "layout of state files");
static_assert(sizeof(struct exit_stats) == 6 * 8 + 64 * 8 + 16 * 8 + 96 * 32, "likewise");

/* The only writer needs no read-modify-write, just a store that readers see whole. */
static inline void counter_add(counter_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t counter_get(const counter_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* One exit with KVM's number for its reason. The VM's thread. */
void exit_stats_count_exit(struct exit_stats *stats, uint32_t reason);

/* One access that exited. The VM's thread. */
void exit_stats_count_io(struct exit_stats *stats, enum io_space space, enum io_direction direction,
                         uint64_t address, bool handled);

#include "shared/exit_stats.h"

void exit_stats_count_exit(struct exit_stats *stats, uint32_t reason)
{
    counter_add(&stats->exits, 1);
    counter_add(&stats->by_reason[reason < EXIT_STATS_REASONS ? reason : EXIT_STATS_REASONS - 1],
                1);
}

static bool row_is(const struct io_row *row, enum io_space space, enum io_direction direction,
                   uint64_t address)
{
    return counter_get(&row->address) == address &&
           atomic_load_explicit(&row->space, memory_order_relaxed) == (uint32_t)space &&
           atomic_load_explicit(&row->direction, memory_order_relaxed) == (uint32_t)direction;
}

void exit_stats_count_io(struct exit_stats *stats, enum io_space space, enum io_direction direction,
                         uint64_t address, bool handled)
{
    /* Fibonacci hashing; a few probes, so that a guest that walks all ports costs no more */
    uint64_t hash = (address * 2 + (direction == IO_OUT)) * UINT64_C(0x9e3779b97f4a7c15);

    for (unsigned probe = 0; probe < 8; probe++) {
        struct io_row *row = &stats->io[((hash >> 32) + probe) % EXIT_STATS_IO_ROWS];

        if (counter_get(&row->count) == 0) {
            atomic_store_explicit(&row->address, address, memory_order_relaxed);
            atomic_store_explicit(&row->space, (uint32_t)space, memory_order_relaxed);
            atomic_store_explicit(&row->direction, (uint32_t)direction, memory_order_relaxed);
            atomic_store_explicit(&row->handled, handled, memory_order_relaxed);
            /* release: who sees the count sees what it counts */
            atomic_store_explicit(&row->count, 1, memory_order_release);
            return;
        }
        if (row_is(row, space, direction, address)) {
            counter_add(&row->count, 1);
            return;
        }
    }
    counter_add(&stats->io_without_row, 1);
}

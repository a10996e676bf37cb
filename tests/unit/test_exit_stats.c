#include "unit_test.h"

#include <stdbool.h>

#include "shared/exit_stats.h"

static const struct exit_stats nothing_counted;

/* The row of an access, or NULL; fails where there are two of it. */
static const struct io_row *find_row(const struct exit_stats *stats, enum io_space space,
                                     enum io_direction direction, uint64_t address)
{
    const struct io_row *found = NULL;

    for (unsigned i = 0; i < EXIT_STATS_IO_ROWS; i++) {
        const struct io_row *row = &stats->io[i];

        if (row->count == 0 || row->address != address || row->space != (uint32_t)space ||
            row->direction != (uint32_t)direction)
            continue;
        assert_null(found);
        found = row;
    }
    return found;
}

static void assert_row(const struct exit_stats *stats, enum io_space space,
                       enum io_direction direction, uint64_t address, uint64_t count, bool handled)
{
    const struct io_row *row = find_row(stats, space, direction, address);

    assert_non_null(row);
    assert_int_equal(row->count, count);
    assert_int_equal(row->handled, handled);
}

/* All accesses that were counted, with a row or without. */
static uint64_t sum_of_rows(const struct exit_stats *stats)
{
    uint64_t sum = stats->io_without_row;

    for (unsigned i = 0; i < EXIT_STATS_IO_ROWS; i++)
        sum += stats->io[i].count;
    return sum;
}

static unsigned used_rows(const struct exit_stats *stats)
{
    unsigned used = 0;

    for (unsigned i = 0; i < EXIT_STATS_IO_ROWS; i++)
        used += stats->io[i].count != 0;
    return used;
}

static void exits_are_counted_in_all_and_by_reason(void **state)
{
    struct exit_stats stats = nothing_counted;

    (void)state;
    exit_stats_count_exit(&stats, 2);
    exit_stats_count_exit(&stats, 2);
    exit_stats_count_exit(&stats, 5);
    assert_int_equal(stats.exits, 3);
    assert_int_equal(stats.by_reason[2], 2);
    assert_int_equal(stats.by_reason[5], 1);
    assert_int_equal(stats.by_reason[0], 0);
}

static void reason_past_the_table_is_counted_in_the_last_row(void **state)
{
    struct exit_stats stats = nothing_counted;

    (void)state;
    exit_stats_count_exit(&stats, EXIT_STATS_REASONS - 1);
    exit_stats_count_exit(&stats, EXIT_STATS_REASONS);
    exit_stats_count_exit(&stats, UINT32_MAX);
    assert_int_equal(stats.exits, 3);
    assert_int_equal(stats.by_reason[EXIT_STATS_REASONS - 1], 3);
    assert_int_equal(stats.hypercalls[0], 0);
}

static void accesses_to_one_address_share_a_row(void **state)
{
    struct exit_stats stats = nothing_counted;

    (void)state;
    for (int i = 0; i < 721; i++)
        exit_stats_count_io(&stats, IO_SPACE_PORT, IO_OUT, 0x500, true);
    assert_row(&stats, IO_SPACE_PORT, IO_OUT, 0x500, 721, true);
    assert_int_equal(used_rows(&stats), 1);
}

static void direction_and_space_have_rows_of_their_own(void **state)
{
    struct exit_stats stats = nothing_counted;

    (void)state;
    exit_stats_count_io(&stats, IO_SPACE_PORT, IO_OUT, 0x3f8, true);
    exit_stats_count_io(&stats, IO_SPACE_PORT, IO_IN, 0x3f8, true);
    exit_stats_count_io(&stats, IO_SPACE_PORT, IO_IN, 0x3f8, true);
    exit_stats_count_io(&stats, IO_SPACE_MEMORY, IO_OUT, 0x3f8, false);
    assert_row(&stats, IO_SPACE_PORT, IO_OUT, 0x3f8, 1, true);
    assert_row(&stats, IO_SPACE_PORT, IO_IN, 0x3f8, 2, true);
    assert_row(&stats, IO_SPACE_MEMORY, IO_OUT, 0x3f8, 1, false);
    assert_int_equal(used_rows(&stats), 3);
}

static void address_0_and_the_last_address_are_addresses(void **state)
{
    struct exit_stats stats = nothing_counted;

    (void)state;
    exit_stats_count_io(&stats, IO_SPACE_MEMORY, IO_IN, 0, false);
    exit_stats_count_io(&stats, IO_SPACE_MEMORY, IO_IN, UINT64_MAX, false);
    assert_row(&stats, IO_SPACE_MEMORY, IO_IN, 0, 1, false);
    assert_row(&stats, IO_SPACE_MEMORY, IO_IN, UINT64_MAX, 1, false);
}

/* The row a port has in an empty table: where the table is looked at first for it. */
static unsigned first_row_of(uint64_t port)
{
    struct exit_stats stats = nothing_counted;

    exit_stats_count_io(&stats, IO_SPACE_PORT, IO_OUT, port, true);
    for (unsigned i = 0; i < EXIT_STATS_IO_ROWS; i++)
        if (stats.io[i].count > 0)
            return i;
    fail();
    return 0;
}

enum { COLLIDING = 12 };

/* Ports that all belong in the row of port 0. */
static void find_colliding(uint64_t ports[COLLIDING])
{
    unsigned home = first_row_of(0), count = 0;

    for (uint64_t port = 0; count < COLLIDING; port++) {
        assert_in_range(port, 0, 0xffff);
        if (first_row_of(port) == home)
            ports[count++] = port;
    }
}

static void colliding_addresses_are_told_apart(void **state)
{
    struct exit_stats stats = nothing_counted;
    uint64_t ports[COLLIDING];

    (void)state;
    find_colliding(ports);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned n = 0; n <= i; n++)
            exit_stats_count_io(&stats, IO_SPACE_PORT, IO_OUT, ports[i], i % 2 == 0);
    for (unsigned i = 0; i < 4; i++)
        assert_row(&stats, IO_SPACE_PORT, IO_OUT, ports[i], i + 1, i % 2 == 0);
    assert_int_equal(stats.io_without_row, 0);
}

static void too_many_colliding_addresses_are_counted_without_a_row(void **state)
{
    struct exit_stats stats = nothing_counted;
    uint64_t ports[COLLIDING];
    unsigned used;

    (void)state;
    find_colliding(ports);
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < COLLIDING; i++)
            exit_stats_count_io(&stats, IO_SPACE_PORT, IO_OUT, ports[i], true);
    used = used_rows(&stats);
    assert_in_range(used, 1, COLLIDING - 1);
    for (unsigned i = 0; i < used; i++)
        assert_row(&stats, IO_SPACE_PORT, IO_OUT, ports[i], 3, true);
    assert_int_equal(stats.io_without_row, 3 * (COLLIDING - used));
}

static void guest_that_walks_all_ports_has_each_access_counted(void **state)
{
    struct exit_stats stats = nothing_counted;

    (void)state;
    for (uint64_t port = 0; port < 0x10000; port++)
        exit_stats_count_io(&stats, IO_SPACE_PORT, IO_IN, port, false);
    assert_int_equal(used_rows(&stats), EXIT_STATS_IO_ROWS);
    assert_int_equal(sum_of_rows(&stats), 0x10000);
}

static void full_table_goes_on_counting_the_rows_it_has(void **state)
{
    struct exit_stats stats = nothing_counted;

    (void)state;
    exit_stats_count_io(&stats, IO_SPACE_PORT, IO_OUT, 0x3f8, true);
    for (uint64_t port = 0; port < 0x1000; port++)
        exit_stats_count_io(&stats, IO_SPACE_PORT, IO_IN, port, false);
    exit_stats_count_io(&stats, IO_SPACE_PORT, IO_OUT, 0x3f8, true);
    assert_row(&stats, IO_SPACE_PORT, IO_OUT, 0x3f8, 2, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exits_are_counted_in_all_and_by_reason),
        cmocka_unit_test(reason_past_the_table_is_counted_in_the_last_row),
        cmocka_unit_test(accesses_to_one_address_share_a_row),
        cmocka_unit_test(direction_and_space_have_rows_of_their_own),
        cmocka_unit_test(address_0_and_the_last_address_are_addresses),
        cmocka_unit_test(colliding_addresses_are_told_apart),
        cmocka_unit_test(too_many_colliding_addresses_are_counted_without_a_row),
        cmocka_unit_test(guest_that_walks_all_ports_has_each_access_counted),
        cmocka_unit_test(full_table_goes_on_counting_the_rows_it_has),
    };

    return cmocka_run_group_tests_name("exit_stats", tests, NULL, NULL);
}

/*
 * The board of the architecture that this is built for.
 */
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

#include "board/arch.h"
#include "captured_console.h"

/* A bare board asks nothing of KVM. */
struct bare {
    struct captured_console captured;
    struct exit_stats stats;
    struct post_codes post;
    struct machine machine;
    struct board *board;
};

static struct bare *set_up(void)
{
    struct bare *bare = calloc(1, sizeof(*bare));
    struct board_config config = { .kind = BOARD_BARE };
    struct error err;

    assert_non_null(bare);
    captured_console_init(&bare->captured);
    bare->machine.stats = &bare->stats;
    config.console = &bare->captured.console;
    config.post = &bare->post;
    assert_int_equal(board_new(&bare->machine, &config, &bare->board, &err), 0);
    return bare;
}

static void tear_down(struct bare *bare)
{
    board_free(bare->board);
    free(bare);
}

static const struct bus *bus_of_devices(const struct bare *bare)
{
    return arch_device_space == IO_SPACE_PORT ? &bare->machine.ports : &bare->machine.mmio;
}

static void every_device_finds_its_place_on_one_bus(void **state)
{
    void *board = calloc(1, arch_board_size);
    struct bus bus = { 0 };
    struct error err;

    (void)state;
    assert_non_null(board);
    assert_int_equal(device_table_place(&arch_devices, false, board, &bus, &err), 0);
    free(board);
}

static void device_names_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < arch_devices.count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(arch_devices.rows[i].name, arch_devices.rows[j].name);
}

/* A byte that is of two devices' state, or of a state and the board's head, would be found twice.
 */
static void each_byte_of_state_is_of_one_device(void **state)
{
    unsigned char *seen = calloc(1, arch_board_size);

    (void)state;
    assert_non_null(seen);
    for (size_t i = 0; i < arch_devices.count; i++) {
        const struct device_row *row = &arch_devices.rows[i];

        assert_true(row->state_offset + row->state_size <= arch_board_size);
        if (row->state_size > 0)
            assert_true(row->state_offset > row->offset); /* the wiring comes first */
        for (size_t at = 0; at < row->state_size; at++)
            assert_int_equal(seen[row->state_offset + at]++, 0);
    }
    free(seen);
}

static void a_new_boards_uart_is_as_after_a_reset(void **state)
{
    enum { MODEM_STATUS = 6, CTS_DSR_DCD = 0xb0 };
    struct bare *bare = set_up();
    uint8_t byte = 0;

    (void)state;
    bus_read(bus_of_devices(bare), arch_uart_address + MODEM_STATUS, &byte, 1);
    assert_int_equal(byte, CTS_DSR_DCD);
    tear_down(bare);
}

static void what_is_written_to_the_uart_is_printed(void **state)
{
    struct bare *bare = set_up();

    (void)state;
    bus_write(bus_of_devices(bare), arch_uart_address, "k", 1);
    assert_string_equal(bare->captured.text, "k");
    tear_down(bare);
}

static void a_bare_board_has_only_what_is_for_it(void **state)
{
    struct bare *bare = set_up();

    (void)state;
    for (size_t i = 0; i < arch_devices.count; i++) {
        const struct device_row *row = &arch_devices.rows[i];

        for (size_t j = 0; j < DEVICE_RANGES_MAX && row->ranges[j].size > 0; j++)
            assert_int_equal(bus_has(bus_of_devices(bare), IO_IN, row->ranges[j].base),
                             !row->kernels_only);
    }
    tear_down(bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_device_finds_its_place_on_one_bus),
        cmocka_unit_test(device_names_differ),
        cmocka_unit_test(each_byte_of_state_is_of_one_device),
        cmocka_unit_test(a_new_boards_uart_is_as_after_a_reset),
        cmocka_unit_test(what_is_written_to_the_uart_is_printed),
        cmocka_unit_test(a_bare_board_has_only_what_is_for_it),
    };

    return cmocka_run_group_tests_name("board", tests, NULL, NULL);
}

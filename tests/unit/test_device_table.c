#include "unit_test.h"

#include <errno.h>
#include <string.h>

#include "board/device_table.h"

struct lamp {
    unsigned wiring;
    unsigned brightness; /* from here on: its state */
    unsigned colour;
};

struct house {
    struct lamp hall;
    struct lamp cellar;
    unsigned door;
};

enum { NEW = 7 };

static void lamp_reset(void *device)
{
    struct lamp *lamp = device;

    assert_int_equal(lamp->brightness, 0);
    lamp->brightness = NEW;
}

static uint8_t lamp_read(void *device, uint64_t offset)
{
    const struct lamp *lamp = device;

    return (uint8_t)(offset == 0 ? lamp->wiring : lamp->brightness);
}

static uint8_t door_read(void *device, uint64_t offset)
{
    (void)offset;
    return (uint8_t) * (unsigned *)device;
}

static const struct device_row rows[] = {
    {
        .name = "hall",
        DEVICE_WITH_STATE(struct house, hall, brightness),
        .reset = lamp_reset,
        .ranges = { { 0x10, 2, .read = lamp_read }, { 0x20, 2, .read = lamp_read } },
    },
    {
        .name = "cellar",
        .kernels_only = true,
        DEVICE_WITH_STATE(struct house, cellar, brightness),
        .ranges = { { 0x30, 2, .read = lamp_read } },
    },
    {
        .name = "door",
        DEVICE_WITHOUT_STATE(struct house, door),
        .ranges = { { 0x40, 1, .read = door_read } },
    },
};

static const struct device_table table = { rows, sizeof(rows) / sizeof(rows[0]) };

static const struct house used = {
    .hall = { 1, 2, 3 },
    .cellar = { 4, 5, 6 },
    .door = 8,
};

static uint8_t get(const struct bus *bus, uint64_t address)
{
    uint8_t byte;

    bus_read(bus, address, &byte, 1);
    return byte;
}

static void reset_is_of_state_alone(void **state)
{
    struct house house = used;

    (void)state;
    device_table_reset(&table, false, &house);
    assert_int_equal(house.hall.wiring, 1);
    assert_int_equal(house.hall.brightness, NEW);
    assert_int_equal(house.hall.colour, 0);
    assert_int_equal(house.cellar.wiring, 4);
    assert_int_equal(house.cellar.brightness, 0);
    assert_int_equal(house.cellar.colour, 0);
    assert_int_equal(house.door, 8);
}

static void each_range_is_placed_with_its_device(void **state)
{
    struct house house = used;
    struct bus bus = { 0 };
    struct error err;

    (void)state;
    assert_int_equal(device_table_place(&table, false, &house, &bus, &err), 0);
    assert_int_equal(bus.count, 4);
    assert_int_equal(get(&bus, 0x10), 1);
    assert_int_equal(get(&bus, 0x21), 2);
    assert_int_equal(get(&bus, 0x30), 4);
    assert_int_equal(get(&bus, 0x40), 8);
}

static void bare_board_has_not_what_kernels_expect(void **state)
{
    struct house house = used;
    struct bus bus = { 0 };
    struct error err;

    (void)state;
    device_table_reset(&table, true, &house);
    assert_memory_equal(&house.cellar, &used.cellar, sizeof(house.cellar));
    assert_int_equal(device_table_place(&table, true, &house, &bus, &err), 0);
    assert_false(bus_has(&bus, IO_IN, 0x30));
    assert_true(bus_has(&bus, IO_IN, 0x10));
    assert_true(bus_has(&bus, IO_IN, 0x40));
}

static void device_without_room_is_named(void **state)
{
    struct house house = used;
    struct bus bus = { 0 };
    struct error err;

    (void)state;
    for (unsigned i = 0; i < BUS_RANGES_MAX - 1; i++)
        assert_int_equal(bus_add(&bus, (struct bus_range){ .base = 0x1000 + i, .size = 1 }), 0);
    assert_int_equal(device_table_place(&table, true, &house, &bus, &err), -ENOSPC);
    assert_string_equal(err.text, "cannot put the device 'hall' on the bus: it is full");
}

static void device_in_anothers_place_is_named(void **state)
{
    struct house house = used;
    struct bus bus = { 0 };
    struct error err;

    (void)state;
    assert_int_equal(bus_add(&bus, (struct bus_range){ .base = 0x40, .size = 4 }), 0);
    assert_int_equal(device_table_place(&table, false, &house, &bus, &err), -EADDRINUSE);
    assert_string_equal(err.text, "cannot put the device 'door' on the bus: another one is there");
}

static void device_that_is_described_wrongly_is_named(void **state)
{
    static const struct device_row row = {
        .name = "lamp",
        DEVICE_WITHOUT_STATE(struct house, hall),
        .ranges = { { 0x10, 2, .read = lamp_read, .widths = BUS_16_BITS } },
    };
    static const struct device_table wrong = { &row, 1 };
    struct house house = used;
    struct bus bus = { 0 };
    struct error err;

    (void)state;
    assert_int_equal(device_table_place(&wrong, false, &house, &bus, &err), -EPROTOTYPE);
    assert_string_equal(err.text, "cannot put the device 'lamp' on the bus: its functions and "
                                  "widths do not go together");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_is_of_state_alone),
        cmocka_unit_test(each_range_is_placed_with_its_device),
        cmocka_unit_test(bare_board_has_not_what_kernels_expect),
        cmocka_unit_test(device_without_room_is_named),
        cmocka_unit_test(device_in_anothers_place_is_named),
        cmocka_unit_test(device_that_is_described_wrongly_is_named),
    };

    return cmocka_run_group_tests_name("device_table", tests, NULL, NULL);
}

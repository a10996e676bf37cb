#include "unit_test.h"

#include <errno.h>

#include "kvm/bus.h"

enum { MEMORY_SIZE = 8, CALLS_MAX = 32 };

/* A device that is a little memory, and writes down which offsets it was asked for. */
struct memory_device {
    uint8_t bytes[MEMORY_SIZE];
    uint64_t offsets[CALLS_MAX];
    unsigned calls;
};

static uint8_t memory_read(void *context, uint64_t offset)
{
    struct memory_device *device = context;

    assert_in_range(offset, 0, MEMORY_SIZE - 1);
    device->offsets[device->calls++] = offset;
    return device->bytes[offset];
}

static void memory_write(void *context, uint64_t offset, uint8_t value)
{
    struct memory_device *device = context;

    assert_in_range(offset, 0, MEMORY_SIZE - 1);
    device->offsets[device->calls++] = offset;
    device->bytes[offset] = value;
}

static void add_memory(struct bus *bus, uint64_t base, uint64_t size, struct memory_device *device)
{
    const struct bus_range range = {
        .base = base,
        .size = size,
        .read = memory_read,
        .write = memory_write,
        .device = device,
    };

    assert_int_equal(bus_add(bus, range), 0);
}

static void device_sees_offsets_from_its_base(void **state)
{
    struct memory_device device = { .bytes = { 0, 0, 0, 0x33 } };
    struct bus bus = { 0 };
    uint8_t byte;

    (void)state;
    add_memory(&bus, 0x3f8, 8, &device);
    bus_read(&bus, 0x3fb, &byte, 1);
    assert_int_equal(byte, 0x33);
    byte = 0x77;
    bus_write(&bus, 0x3ff, &byte, 1);
    assert_int_equal(device.bytes[7], 0x77);
    assert_int_equal(device.calls, 2);
}

static void empty_bus_reads_all_ones_at_any_width(void **state)
{
    struct bus bus = { 0 };

    (void)state;
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t value = 0;

        bus_read(&bus, 0x1234, &value, size);
        assert_int_equal(value, size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1);
    }
}

static void write_where_nothing_is_goes_nowhere(void **state)
{
    struct memory_device device = { .bytes = { 0 } };
    struct bus bus = { 0 };
    uint64_t value = UINT64_MAX;

    (void)state;
    add_memory(&bus, 0x10, 4, &device);
    bus_write(&bus, 0x14, &value, 8);
    bus_write(&bus, 0x8, &value, 8);
    assert_int_equal(device.calls, 0);
}

static void range_holds_its_first_and_last_address_and_no_other(void **state)
{
    struct memory_device device = { .bytes = { 0 } };
    struct bus bus = { 0 };

    (void)state;
    add_memory(&bus, 0x100, 8, &device);
    assert_false(bus_has(&bus, IO_OUT, 0xff));
    assert_true(bus_has(&bus, IO_OUT, 0x100));
    assert_true(bus_has(&bus, IO_OUT, 0x107));
    assert_false(bus_has(&bus, IO_OUT, 0x108));
    assert_false(bus_has(&bus, IO_OUT, 0));
    assert_false(bus_has(&bus, IO_OUT, UINT64_MAX));
}

static void range_may_begin_at_0_or_end_at_the_last_address(void **state)
{
    struct memory_device low = { .bytes = { 1 } }, high = { .bytes = { 0, 0, 0, 0, 0, 0, 0, 2 } };
    struct bus bus = { 0 };
    uint8_t byte;

    (void)state;
    add_memory(&bus, 0, 8, &low);
    add_memory(&bus, UINT64_MAX - 7, 8, &high);
    bus_read(&bus, 0, &byte, 1);
    assert_int_equal(byte, 1);
    bus_read(&bus, UINT64_MAX, &byte, 1);
    assert_int_equal(byte, 2);
}

static void wide_access_is_byte_accesses_lowest_address_first(void **state)
{
    struct memory_device device = { .bytes = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 } };
    struct bus bus = { 0 };
    uint64_t value = 0;

    (void)state;
    add_memory(&bus, 0x3f8, 8, &device);
    bus_read(&bus, 0x3f8, &value, 4);
    assert_int_equal(value, 0x44332211);
    assert_int_equal(device.calls, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(device.offsets[i], i);

    value = 0x0807060504030201;
    bus_write(&bus, 0x3f8, &value, 8);
    assert_memory_equal(device.bytes, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
}

static void access_across_the_end_of_a_device_reads_ones_beyond_it(void **state)
{
    struct memory_device device = { .bytes = { 0, 0, 0xaa, 0xbb } };
    struct bus bus = { 0 };
    uint32_t value = 0;

    (void)state;
    add_memory(&bus, 0x10, 4, &device);
    bus_read(&bus, 0x12, &value, 4);
    assert_int_equal(value, 0xffffbbaa);
    bus_read(&bus, 0xe, &value, 4);
    assert_int_equal(value, 0x0000ffff);
}

static void access_across_two_devices_reaches_both(void **state)
{
    struct memory_device left = { .bytes = { 0 } }, right = { .bytes = { 0 } };
    struct bus bus = { 0 };
    uint32_t value = 0x04030201;

    (void)state;
    add_memory(&bus, 0x12, 2, &right);
    add_memory(&bus, 0x10, 2, &left);
    bus_write(&bus, 0x10, &value, 4);
    assert_memory_equal(left.bytes, "\x01\x02", 2);
    assert_memory_equal(right.bytes, "\x03\x04", 2);
    value = 0;
    bus_read(&bus, 0x10, &value, 4);
    assert_int_equal(value, 0x04030201);
}

static void access_beyond_the_last_address_goes_on_at_0(void **state)
{
    struct memory_device low = { .bytes = { 0x5a } };
    struct bus bus = { 0 };
    uint16_t value = 0;

    (void)state;
    add_memory(&bus, 0, 1, &low);
    bus_read(&bus, UINT64_MAX, &value, 2);
    assert_int_equal(value, 0x5aff);
}

static void bus_holds_as_many_ranges_as_it_says(void **state)
{
    struct memory_device devices[BUS_RANGES_MAX] = { { .bytes = { 0 } } };
    struct bus bus = { 0 };
    uint8_t byte;

    (void)state;
    for (unsigned i = 0; i < BUS_RANGES_MAX; i++) {
        devices[i].bytes[0] = (uint8_t)i;
        add_memory(&bus, i * 0x100, 1, &devices[i]);
    }
    for (unsigned i = 0; i < BUS_RANGES_MAX; i++) {
        bus_read(&bus, i * 0x100, &byte, 1);
        assert_int_equal(byte, i);
    }
}

static void range_too_many_is_refused(void **state)
{
    const struct bus_range one_more = { .base = 0x10000, .size = 1, .read = memory_read };
    struct memory_device device;
    struct bus bus = { 0 };

    (void)state;
    for (unsigned i = 0; i < BUS_RANGES_MAX; i++)
        add_memory(&bus, i * 0x100, 1, &device);
    assert_int_equal(bus_add(&bus, one_more), -ENOSPC);
    assert_false(bus_has(&bus, IO_IN, one_more.base));
}

static void range_that_overlaps_another_is_refused(void **state)
{
    static const struct {
        uint64_t base, size;
    } bad[] = { { 0x10, 8 },           { 0xf, 2 },       { 0x17, 1 }, { 0x12, 1 }, { 0, 0x100 },
                { UINT64_MAX - 2, 8 }, { UINT64_MAX, 1 } };
    struct memory_device device;
    struct bus bus = { 0 };

    (void)state;
    add_memory(&bus, 0x10, 8, &device);
    add_memory(&bus, UINT64_MAX - 7, 8, &device);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            bus_add(&bus, (struct bus_range){ .base = bad[i].base, .size = bad[i].size }),
            -EADDRINUSE);
    assert_int_equal(bus_add(&bus, (struct bus_range){ .base = 0x18, .size = 1 }), 0);
    assert_int_equal(bus_add(&bus, (struct bus_range){ .base = 0xf, .size = 1 }), 0);
    assert_int_equal(bus_add(&bus, (struct bus_range){ .base = 0, .size = 1 }), 0);
}

/* A device with wide registers: it writes down what it is asked for. The byte at offset n reads as
 * n + 1. */
struct wide_device {
    struct {
        uint64_t offset, value;
        unsigned size;
    } calls[CALLS_MAX];
    unsigned count;
};

static void note_call(struct wide_device *device, uint64_t offset, uint64_t value, unsigned size)
{
    device->calls[device->count].offset = offset;
    device->calls[device->count].value = value;
    device->calls[device->count++].size = size;
}

static void wide_write(void *context, uint64_t offset, uint64_t value, unsigned size)
{
    note_call(context, offset, value, size);
}

static uint64_t wide_read(void *context, uint64_t offset, unsigned size)
{
    note_call(context, offset, 0, size);
    return UINT64_C(0x0807060504030201) >> 8 * offset;
}

enum { ALL_WIDTHS = BUS_8_BITS | BUS_16_BITS | BUS_32_BITS | BUS_64_BITS };

static void add_wide(struct bus *bus, uint64_t base, uint64_t size, unsigned widths,
                     struct wide_device *device)
{
    *device = (struct wide_device){ .count = 0 };
    bus_add(bus, (struct bus_range){ .base = base,
                                     .size = size,
                                     .read_wide = wide_read,
                                     .write_wide = wide_write,
                                     .widths = widths,
                                     .device = device });
}

static void assert_call(const struct wide_device *device, unsigned index, uint64_t offset,
                        uint64_t value, unsigned size)
{
    assert_in_range(index, 0, device->count - 1);
    assert_int_equal(device->calls[index].offset, offset);
    assert_int_equal(device->calls[index].value, value);
    assert_int_equal(device->calls[index].size, size);
}

static void write_of_a_width_that_is_taken_comes_in_one_piece(void **state)
{
    const uint64_t value = UINT64_C(0x8877665544332211);
    struct wide_device device;
    struct bus bus = { 0 };

    (void)state;
    add_wide(&bus, 0x10, 8, ALL_WIDTHS, &device);
    bus_write(&bus, 0x11, &value, 1);
    bus_write(&bus, 0x12, &value, 2);
    bus_write(&bus, 0x14, &value, 4);
    bus_write(&bus, 0x10, &value, 8);
    assert_int_equal(device.count, 4);
    assert_call(&device, 0, 1, 0x11, 1);
    assert_call(&device, 1, 2, 0x2211, 2);
    assert_call(&device, 2, 4, 0x44332211, 4);
    assert_call(&device, 3, 0, value, 8);
}

static void read_of_a_width_that_is_taken_comes_in_one_piece(void **state)
{
    struct wide_device device;
    struct bus bus = { 0 };
    uint64_t value = 0;

    (void)state;
    add_wide(&bus, 0x10, 8, ALL_WIDTHS, &device);
    bus_read(&bus, 0x11, &value, 1);
    assert_int_equal(value, 0x02);
    bus_read(&bus, 0x12, &value, 2);
    assert_int_equal(value, 0x0403);
    bus_read(&bus, 0x14, &value, 4);
    assert_int_equal(value, 0x08070605);
    bus_read(&bus, 0x10, &value, 8);
    assert_int_equal(value, UINT64_C(0x0807060504030201));
    assert_int_equal(device.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(device.calls[i].size, 1u << i);
}

static void access_need_not_begin_at_a_multiple_of_its_width(void **state)
{
    const uint32_t value = 0x44332211;
    struct wide_device device;
    struct bus bus = { 0 };
    uint32_t read = 0;

    (void)state;
    add_wide(&bus, 0x10, 8, BUS_32_BITS, &device);
    bus_write(&bus, 0x13, &value, 4);
    bus_read(&bus, 0x11, &read, 4);
    assert_int_equal(device.count, 2);
    assert_call(&device, 0, 3, value, 4);
    assert_int_equal(read, 0x05040302);
}

static void access_too_wide_comes_in_the_widest_pieces_lowest_address_first(void **state)
{
    const uint64_t value = UINT64_C(0x8877665544332211);
    struct wide_device device;
    struct bus bus = { 0 };
    uint64_t read = 0;

    (void)state;
    add_wide(&bus, 0x10, 8, BUS_16_BITS | BUS_32_BITS, &device);
    bus_write(&bus, 0x10, &value, 8);
    bus_read(&bus, 0x10, &read, 8);
    assert_int_equal(device.count, 4);
    assert_call(&device, 0, 0, 0x44332211, 4);
    assert_call(&device, 1, 4, 0x88776655, 4);
    assert_call(&device, 2, 0, 0, 4);
    assert_call(&device, 3, 4, 0, 4);
    assert_int_equal(read, UINT64_C(0x0807060504030201));
}

static void access_narrower_than_is_taken_is_none(void **state)
{
    const uint16_t value = 0x2211;
    struct wide_device device;
    struct bus bus = { 0 };
    uint16_t read = 0;

    (void)state;
    add_wide(&bus, 0x10, 8, BUS_32_BITS, &device);
    bus_write(&bus, 0x10, &value, 1);
    bus_write(&bus, 0x10, &value, 2);
    bus_read(&bus, 0x10, &read, 1);
    assert_int_equal(read, 0x00ff);
    bus_read(&bus, 0x10, &read, 2);
    assert_int_equal(read, 0xffff);
    assert_int_equal(device.count, 0);
}

static void access_is_cut_where_a_range_begins_and_ends(void **state)
{
    const uint32_t value = 0x44332211;
    struct wide_device device;
    struct bus bus = { 0 };
    uint32_t read = 0;

    (void)state;
    add_wide(&bus, 0x10, 2, ALL_WIDTHS, &device);
    bus_write(&bus, 0x11, &value, 4);
    bus_write(&bus, 0xf, &value, 4);
    assert_int_equal(device.count, 2);
    assert_call(&device, 0, 1, 0x11, 1);
    assert_call(&device, 1, 0, 0x3322, 2);
    bus_read(&bus, 0x11, &read, 4);
    assert_int_equal(read, 0xffffff02);
    bus_read(&bus, 0xf, &read, 4);
    assert_int_equal(read, 0xff0201ff);
}

static void what_a_cut_leaves_comes_in_the_widest_pieces_too(void **state)
{
    const uint32_t value = 0x44332211;
    struct wide_device device;
    struct bus bus = { 0 };
    uint32_t read = 0;

    (void)state;
    add_wide(&bus, 0x10, 4, BUS_8_BITS | BUS_16_BITS | BUS_32_BITS, &device);
    bus_write(&bus, 0x11, &value, 4);
    bus_read(&bus, 0x11, &read, 4);
    assert_int_equal(device.count, 4);
    assert_call(&device, 0, 1, 0x2211, 2);
    assert_call(&device, 1, 3, 0x33, 1);
    assert_call(&device, 2, 1, 0, 2);
    assert_call(&device, 3, 3, 0, 1);
    assert_int_equal(read, 0xff040302);
}

static void access_across_both_kinds_of_device_reaches_both(void **state)
{
    const uint32_t value = 0x44332211;
    struct memory_device left = { .bytes = { 0 } }, right = { .bytes = { 0 } };
    struct wide_device device;
    struct bus bus = { 0 };
    uint32_t read = 0;

    (void)state;
    add_memory(&bus, 0x10, 1, &left);
    add_wide(&bus, 0x11, 2, BUS_16_BITS, &device);
    add_memory(&bus, 0x13, 1, &right);
    bus_write(&bus, 0x10, &value, 4);
    assert_int_equal(left.bytes[0], 0x11);
    assert_call(&device, 0, 0, 0x3322, 2);
    assert_int_equal(right.bytes[0], 0x44);
    bus_read(&bus, 0x10, &read, 4);
    assert_int_equal(read, 0x44020111);
}

static uint8_t read_number(void *context, uint64_t offset)
{
    (void)context;
    return (uint8_t)(offset + 1);
}

static void range_whose_functions_and_widths_do_not_go_together_is_refused(void **state)
{
    static const struct bus_range bad[] = {
        { .size = 4, .read_wide = wide_read },
        { .size = 4, .read = read_number, .write_wide = wide_write },
        { .size = 4, .write_wide = wide_write, .widths = 3 | 16 },
        { .size = 4, .read = read_number, .widths = BUS_32_BITS },
        { .size = 4, .read = read_number, .read_wide = wide_read, .widths = BUS_32_BITS },
        { .size = 4, .write = memory_write, .write_wide = wide_write, .widths = BUS_32_BITS },
    };
    struct bus bus = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(bus_add(&bus, bad[i]), -EPROTOTYPE);
    assert_int_equal(bus.count, 0);
}

static void device_may_be_wide_in_one_direction_alone(void **state)
{
    const uint32_t value = 0x44332211;
    struct wide_device device = { .count = 0 };
    struct bus bus = { 0 };
    uint32_t read = 0;

    (void)state;
    bus_add(&bus, (struct bus_range){ .base = 0x10,
                                      .size = 4,
                                      .read = read_number,
                                      .write_wide = wide_write,
                                      .widths = BUS_32_BITS,
                                      .device = &device });
    bus_read(&bus, 0x10, &read, 4);
    assert_int_equal(read, 0x04030201);
    bus_write(&bus, 0x10, &value, 1);
    assert_int_equal(device.count, 0);
    bus_write(&bus, 0x10, &value, 4);
    assert_call(&device, 0, 0, value, 4);
}

static void bus_has_what_answers_in_that_direction(void **state)
{
    struct bus bus = { 0 };

    (void)state;
    bus_add(&bus, (struct bus_range){ .base = 0, .size = 1, .read = memory_read });
    bus_add(&bus, (struct bus_range){ .base = 1, .size = 1, .write = memory_write });
    bus_add(&bus, (struct bus_range){
                      .base = 2, .size = 4, .read_wide = wide_read, .widths = BUS_32_BITS });
    bus_add(&bus, (struct bus_range){
                      .base = 6, .size = 2, .write_wide = wide_write, .widths = BUS_16_BITS });
    for (uint64_t address = 0; address < 9; address++) {
        assert_int_equal(bus_has(&bus, IO_IN, address),
                         address == 0 || (address >= 2 && address < 6));
        assert_int_equal(bus_has(&bus, IO_OUT, address),
                         address == 1 || address == 6 || address == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_sees_offsets_from_its_base),
        cmocka_unit_test(empty_bus_reads_all_ones_at_any_width),
        cmocka_unit_test(write_where_nothing_is_goes_nowhere),
        cmocka_unit_test(range_holds_its_first_and_last_address_and_no_other),
        cmocka_unit_test(range_may_begin_at_0_or_end_at_the_last_address),
        cmocka_unit_test(wide_access_is_byte_accesses_lowest_address_first),
        cmocka_unit_test(access_across_the_end_of_a_device_reads_ones_beyond_it),
        cmocka_unit_test(access_across_two_devices_reaches_both),
        cmocka_unit_test(access_beyond_the_last_address_goes_on_at_0),
        cmocka_unit_test(bus_holds_as_many_ranges_as_it_says),
        cmocka_unit_test(range_too_many_is_refused),
        cmocka_unit_test(range_that_overlaps_another_is_refused),
        cmocka_unit_test(write_of_a_width_that_is_taken_comes_in_one_piece),
        cmocka_unit_test(read_of_a_width_that_is_taken_comes_in_one_piece),
        cmocka_unit_test(access_need_not_begin_at_a_multiple_of_its_width),
        cmocka_unit_test(access_too_wide_comes_in_the_widest_pieces_lowest_address_first),
        cmocka_unit_test(access_narrower_than_is_taken_is_none),
        cmocka_unit_test(access_is_cut_where_a_range_begins_and_ends),
        cmocka_unit_test(what_a_cut_leaves_comes_in_the_widest_pieces_too),
        cmocka_unit_test(access_across_both_kinds_of_device_reaches_both),
        cmocka_unit_test(range_whose_functions_and_widths_do_not_go_together_is_refused),
        cmocka_unit_test(device_may_be_wide_in_one_direction_alone),
        cmocka_unit_test(bus_has_what_answers_in_that_direction),
    };

    return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}

#include "unit_test.h"

#include "device/cmos.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

enum { STATUS_A = 0x0a, STATUS_B = 0x0b, STATUS_C = 0x0c, STATUS_D = 0x0d };
enum { BCD_24 = 0x02, BINARY_24 = 0x06, BCD_12 = 0x00, BINARY_12 = 0x04 };

/* 2024-02-29 17:08:59 UTC, a Thursday */
#define LEAP_DAY INT64_C(1709226539)

static int64_t now(void *context)
{
    return *(const int64_t *)context;
}

struct machine_end {
    int64_t time;
    struct cmos cmos;
};

static void set_up_memory(struct machine_end *end, uint64_t below_4g, uint64_t above_4g)
{
    const struct cmos_clock clock = { .now = now, .context = &end->time };
    const struct cmos_memory memory = { .below_4g = below_4g, .above_4g = above_4g };

    end->time = LEAP_DAY;
    cmos_init(&end->cmos, &memory, 4, &clock);
    cmos_reset(&end->cmos);
}

static void set_up(struct machine_end *end)
{
    set_up_memory(end, 64 * MIB, 0);
}

static uint8_t get(struct machine_end *end, uint8_t index)
{
    cmos_write(&end->cmos, 0, index);
    return cmos_read(&end->cmos, 1);
}

static void put(struct machine_end *end, uint8_t index, uint8_t value)
{
    cmos_write(&end->cmos, 0, index);
    cmos_write(&end->cmos, 1, value);
}

static void clock_is_decimal_and_of_24_hours_at_first(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    assert_int_equal(get(&end, STATUS_B), BCD_24);
    assert_int_equal(get(&end, 0x00), 0x59);
    assert_int_equal(get(&end, 0x02), 0x08);
    assert_int_equal(get(&end, 0x04), 0x17);
    assert_int_equal(get(&end, 0x06), 0x05);
    assert_int_equal(get(&end, 0x07), 0x29);
    assert_int_equal(get(&end, 0x08), 0x02);
    assert_int_equal(get(&end, 0x09), 0x24);
    assert_int_equal(get(&end, 0x32), 0x20);
}

static void clock_is_binary_if_the_guest_wants(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    put(&end, STATUS_B, BINARY_24);
    assert_int_equal(get(&end, 0x00), 59);
    assert_int_equal(get(&end, 0x02), 8);
    assert_int_equal(get(&end, 0x04), 17);
    assert_int_equal(get(&end, 0x07), 29);
    assert_int_equal(get(&end, 0x09), 24);
    assert_int_equal(get(&end, 0x32), 20);
}

static void clock_of_12_hours_begins_with_12_and_marks_the_afternoon(void **state)
{
    static const struct {
        int hour;
        uint8_t decimal, binary;
    } rows[] = {
        { 0, 0x12, 12 },         { 1, 0x01, 1 },         { 11, 0x11, 11 },
        { 12, 0x92, 0x80 | 12 }, { 13, 0x81, 0x80 | 1 }, { 23, 0x91, 0x80 | 11 },
    };
    struct machine_end end;

    (void)state;
    set_up(&end);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        end.time = LEAP_DAY / 86400 * 86400 + rows[i].hour * 3600;
        put(&end, STATUS_B, BCD_12);
        assert_int_equal(get(&end, 0x04), rows[i].decimal);
        put(&end, STATUS_B, BINARY_12);
        assert_int_equal(get(&end, 0x04), rows[i].binary);
    }
}

static void clock_goes_on(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    end.time++;
    assert_int_equal(get(&end, 0x00), 0x00);
    assert_int_equal(get(&end, 0x02), 0x09);
}

static void clock_knows_other_centuries(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    end.time = 0;
    assert_int_equal(get(&end, 0x09), 0x70);
    assert_int_equal(get(&end, 0x32), 0x19);
    end.time = INT64_C(4102444800); /* 2100-01-01 */
    assert_int_equal(get(&end, 0x09), 0x00);
    assert_int_equal(get(&end, 0x32), 0x21);
}

static void clock_cannot_be_set(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    put(&end, 0x00, 0x11);
    put(&end, 0x32, 0x11);
    assert_int_equal(get(&end, 0x00), 0x59);
    assert_int_equal(get(&end, 0x32), 0x20);
}

static void no_update_is_ever_in_progress(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    assert_int_equal(get(&end, STATUS_A), 0x26);
    put(&end, STATUS_A, 0xff);
    assert_int_equal(get(&end, STATUS_A), 0x7f);
}

static void battery_is_good_and_no_interrupt_pending(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    put(&end, STATUS_C, 0xff);
    put(&end, STATUS_D, 0x00);
    assert_int_equal(get(&end, STATUS_C), 0x00);
    assert_int_equal(get(&end, STATUS_D), 0x80);
}

static void index_leaves_the_nmi_mask_out(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    assert_int_equal(get(&end, 0x80 | STATUS_D), 0x80);
}

static void index_cannot_be_read(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    cmos_write(&end.cmos, 0, 0x15);
    assert_int_equal(cmos_read(&end.cmos, 0), 0xff);
}

static void memory_keeps_what_is_written(void **state)
{
    static const uint8_t indexes[] = { 0x01, 0x0e, 0x0f, 0x15, 0x33, 0x40, 0x7f };
    struct machine_end end;

    (void)state;
    set_up(&end);
    for (unsigned i = 0; i < sizeof(indexes); i++)
        put(&end, indexes[i], (uint8_t)(0xa0 + i));
    for (unsigned i = 0; i < sizeof(indexes); i++)
        assert_int_equal(get(&end, indexes[i]), 0xa0 + i);
}

static uint32_t number(struct machine_end *end, uint8_t index, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)get(end, (uint8_t)(index + i)) << 8 * i;
    return value;
}

static void memory_sizes_are_where_firmware_looks(void **state)
{
    static const struct {
        uint64_t below_4g, above_4g;
        uint32_t base_kib, extended_kib, above_16m, above_4g_64k;
    } rows[] = {
        { 64 * KIB, 0, 64, 0, 0, 0 },
        { 1 * MIB, 0, 640, 0, 0, 0 },
        { 16 * MIB, 0, 640, 15 * 1024, 0, 0 },
        { 64 * MIB, 0, 640, 63 * 1024, 48 * 16, 0 },
        { 65 * MIB, 0, 640, 65535, 49 * 16, 0 },
        { 3 * GIB, 5 * GIB, 640, 65535, (3 * 1024 - 16) * 16, 5 * 1024 * 16 },
        { 3 * GIB, 2048 * GIB, 640, 65535, (3 * 1024 - 16) * 16, 0xffffff },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct machine_end end;

        set_up_memory(&end, rows[i].below_4g, rows[i].above_4g);
        assert_int_equal(number(&end, 0x15, 2), rows[i].base_kib);
        assert_int_equal(number(&end, 0x17, 2), rows[i].extended_kib);
        assert_int_equal(number(&end, 0x30, 2), rows[i].extended_kib);
        assert_int_equal(number(&end, 0x34, 2), rows[i].above_16m);
        assert_int_equal(number(&end, 0x5b, 3), rows[i].above_4g_64k);
    }
}

static void other_cpus_are_counted(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    assert_int_equal(get(&end, 0x5f), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_is_decimal_and_of_24_hours_at_first),
        cmocka_unit_test(clock_is_binary_if_the_guest_wants),
        cmocka_unit_test(clock_of_12_hours_begins_with_12_and_marks_the_afternoon),
        cmocka_unit_test(clock_goes_on),
        cmocka_unit_test(clock_knows_other_centuries),
        cmocka_unit_test(clock_cannot_be_set),
        cmocka_unit_test(no_update_is_ever_in_progress),
        cmocka_unit_test(battery_is_good_and_no_interrupt_pending),
        cmocka_unit_test(index_leaves_the_nmi_mask_out),
        cmocka_unit_test(index_cannot_be_read),
        cmocka_unit_test(memory_keeps_what_is_written),
        cmocka_unit_test(memory_sizes_are_where_firmware_looks),
        cmocka_unit_test(other_cpus_are_counted),
    };

    return cmocka_run_group_tests_name("cmos", tests, NULL, NULL);
}

#include "unit_test.h"

#include <errno.h>
#include <string.h>

#include "image/layout.h"

enum { SIZE = 4 * 1024 * 1024 };

struct fixture {
    struct guest_memory memory;
    struct layout layout;
    struct error err;
};

static void init(struct fixture *fixture, uint64_t size)
{
    assert_int_equal(guest_memory_init(&fixture->memory, 0, size, &fixture->err), 0);
    layout_init(&fixture->layout, &fixture->memory, "x");
}

static void add(struct fixture *fixture, gpa_t start, uint64_t size)
{
    assert_int_equal(
        layout_add(&fixture->layout, start, size, &fixture->err, "part %zu", fixture->layout.count),
        0);
}

static void refuse(struct fixture *fixture, gpa_t start, uint64_t size, const char *expected)
{
    assert_int_equal(layout_add(&fixture->layout, start, size, &fixture->err, "part"), -ENOEXEC);
    assert_string_equal(fixture->err.text, expected);
}

static void parts_may_touch(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    add(&fixture, 0x100000, 0x1000);
    add(&fixture, 0x101000, 0x1000);
    add(&fixture, 0xff000, 0x1000);
    assert_int_equal(layout_end(&fixture.layout), 0x102000);
    guest_memory_deinit(&fixture.memory);
}

static void part_over_another_is_refused(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    add(&fixture, 0x100000, 0x1000);
    refuse(&fixture, 0xfffff, 2,
           "'x': part, 2 bytes at 0xfffff, lies over part 0, 4096 bytes at 0x100000");
    refuse(&fixture, 0x100fff, 1,
           "'x': part, 1 bytes at 0x100fff, lies over part 0, 4096 bytes at 0x100000");
    refuse(&fixture, 0x100800, 1,
           "'x': part, 1 bytes at 0x100800, lies over part 0, 4096 bytes at 0x100000");
    refuse(&fixture, 0, SIZE,
           "'x': part, 4194304 bytes at 0x0, lies over part 0, 4096 bytes at 0x100000");
    guest_memory_deinit(&fixture.memory);
}

static void part_outside_of_memory_is_refused_with_how_much_it_needs(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    refuse(&fixture, SIZE - 1, 2,
           "'x': part, 2 bytes at 0x3fffff, does not fit the guest's memory of 4194304 bytes; it "
           "needs 4194305 or more");
    guest_memory_deinit(&fixture.memory);
}

static void part_where_no_memory_could_be_is_refused(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    refuse(&fixture, 0xffffffff80000000, 1,
           "'x': part, 1 bytes at 0xffffffff80000000, does not fit the guest's memory of 4194304 "
           "bytes");
    guest_memory_deinit(&fixture.memory);
}

static void part_that_wraps_is_refused(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    refuse(&fixture, 0x1000, UINT64_MAX,
           "'x': part, 18446744073709551615 bytes at 0x1000, does not fit the guest's memory of "
           "4194304 bytes");
    guest_memory_deinit(&fixture.memory);
}

static void more_parts_than_there_is_room_for_are_refused(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    for (gpa_t i = 0; i < LAYOUT_RANGES_MAX; i++)
        add(&fixture, i * 16, 16);
    refuse(&fixture, 0x100000, 1, "'x' has too many parts: more than 128");
    guest_memory_deinit(&fixture.memory);
}

static gpa_t place(struct fixture *fixture, bool high, struct layout_room room, uint64_t size)
{
    gpa_t at = 0;
    int r = high ? layout_place_high(&fixture->layout, &room, size, "it", &at, &fixture->err)
                 : layout_place_low(&fixture->layout, &room, size, "it", &at, &fixture->err);

    if (r < 0)
        fail_msg("no room: %s", fixture->err.text);
    return at;
}

static const struct layout_room anywhere = { .limit = UINT64_MAX, .align = 0x1000 };

static void lowest_place_is_found_above_what_the_architecture_keeps(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    assert_int_equal(place(&fixture, false, anywhere, 16), 0x1000);
    assert_int_equal(place(&fixture, false, anywhere, 0x2000), 0x2000);
    guest_memory_deinit(&fixture.memory);
}

static void lowest_place_is_found_between_parts(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    add(&fixture, 0x3000, 1);
    add(&fixture, 0x1000, 1);
    assert_int_equal(place(&fixture, false, anywhere, 0x1001), 0x4000);
    assert_int_equal(place(&fixture, false, anywhere, 0x1000), 0x2000);
    guest_memory_deinit(&fixture.memory);
}

static void bios_area_is_left_out(void **state)
{
    const struct layout_room room = { .from = 0x9f000, .limit = UINT64_MAX, .align = 16 };
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    assert_int_equal(place(&fixture, false, room, 0xc10), 0x100000);
    assert_int_equal(place(&fixture, false, room, 0xc00), 0x9f000);
    guest_memory_deinit(&fixture.memory);
}

static void highest_place_is_found_below_parts_and_limit(void **state)
{
    const struct layout_room below = { .limit = 0x200001, .align = 0x1000 };
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    assert_int_equal(place(&fixture, true, anywhere, 1), SIZE - 0x1000);
    assert_int_equal(place(&fixture, true, anywhere, 0x1001), SIZE - 0x3000);
    assert_int_equal(place(&fixture, true, below, 0x1000), 0x1ff000);
    add(&fixture, 0x1fe800, 1);
    assert_int_equal(place(&fixture, true, below, 0x1000), 0x1fd000);
    guest_memory_deinit(&fixture.memory);
}

static void places_are_in_ram_alone(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture, SIZE);
    assert_int_equal(guest_memory_add_rom(&fixture.memory, 0xffff0000, 0x10000, &fixture.err), 0);
    assert_int_equal(place(&fixture, true, anywhere, 1), SIZE - 0x1000);
    guest_memory_deinit(&fixture.memory);
}

static void highest_place_may_be_above_the_hole(void **state)
{
    const struct layout_room below = { .limit = GUEST_HOLE_END, .align = 0x1000 };
    struct fixture fixture;

    (void)state;
    init(&fixture, GUEST_HOLE_START + SIZE);
    assert_int_equal(place(&fixture, true, anywhere, 1), GUEST_HOLE_END + SIZE - 0x1000);
    assert_int_equal(place(&fixture, true, below, 1), GUEST_HOLE_START - 0x1000);
    guest_memory_deinit(&fixture.memory);
}

static void assert_no_room(struct layout_room room, uint64_t size)
{
    struct fixture fixture;
    gpa_t at = 0x5555;

    init(&fixture, SIZE);
    assert_int_equal(layout_place_low(&fixture.layout, &room, size, "it", &at, NULL), -ENOEXEC);
    assert_int_equal(layout_place_high(&fixture.layout, &room, size, "it", &at, &fixture.err),
                     -ENOEXEC);
    assert_int_equal(at, 0x5555);
    assert_non_null(strstr(fixture.err.text, "has no room for it, "));
    assert_int_equal(fixture.layout.count, 0);
    guest_memory_deinit(&fixture.memory);
}

static void what_fits_nowhere_is_refused(void **state)
{
    (void)state;
    assert_no_room(anywhere, SIZE);
    assert_no_room(anywhere, UINT64_MAX);
    assert_no_room((struct layout_room){ .limit = 0x1000, .align = 1 }, 1);
    assert_no_room((struct layout_room){ .from = 0x2000, .limit = 0x2fff, .align = 1 }, 0x1000);
    assert_no_room((struct layout_room){ .from = SIZE, .limit = UINT64_MAX, .align = 1 }, 1);
    assert_no_room((struct layout_room){ .from = UINT64_MAX, .limit = UINT64_MAX, .align = 2 }, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_may_touch),
        cmocka_unit_test(part_over_another_is_refused),
        cmocka_unit_test(part_outside_of_memory_is_refused_with_how_much_it_needs),
        cmocka_unit_test(part_where_no_memory_could_be_is_refused),
        cmocka_unit_test(part_that_wraps_is_refused),
        cmocka_unit_test(more_parts_than_there_is_room_for_are_refused),
        cmocka_unit_test(lowest_place_is_found_above_what_the_architecture_keeps),
        cmocka_unit_test(lowest_place_is_found_between_parts),
        cmocka_unit_test(bios_area_is_left_out),
        cmocka_unit_test(highest_place_is_found_below_parts_and_limit),
        cmocka_unit_test(places_are_in_ram_alone),
        cmocka_unit_test(highest_place_may_be_above_the_hole),
        cmocka_unit_test(what_fits_nowhere_is_refused),
    };

    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}

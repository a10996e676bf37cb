#include "unit_test.h"

#include "image/x86/e820.h"

/* The map for so many bytes of RAM is these rows. */
static void assert_map(uint64_t ram, const struct e820_entry *expected, size_t count)
{
    struct e820_entry map[E820_ENTRIES_MAX];
    struct guest_memory memory;
    struct error err;

    assert_int_equal(guest_memory_init(&memory, 0, ram, &err), 0);
    assert_int_equal(e820_fill(&memory, map), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(map[i].start, expected[i].start);
        assert_int_equal(map[i].size, expected[i].size);
        assert_int_equal(map[i].type, expected[i].type);
    }
    guest_memory_deinit(&memory);
}

static void bios_area_is_reserved(void **state)
{
    const struct e820_entry expected[] = {
        { 0, 0x9fc00, E820_RAM },
        { 0x9fc00, 0x60400, E820_RESERVED },
        { 0x100000, 0x3f00000, E820_RAM },
    };

    (void)state;
    assert_map(0x4000000, expected, 3);
}

static void memory_of_1_mib_ends_below_the_bios_area(void **state)
{
    const struct e820_entry expected[] = {
        { 0, 0x9fc00, E820_RAM },
        { 0x9fc00, 0x60400, E820_RESERVED },
    };

    (void)state;
    assert_map(0x100000, expected, 2);
}

static void memory_of_64_kib_is_all_there_is(void **state)
{
    const struct e820_entry expected[] = {
        { 0, 0x10000, E820_RAM },
        { 0x9fc00, 0x60400, E820_RESERVED },
    };

    (void)state;
    assert_map(0x10000, expected, 2);
}

static void memory_goes_on_at_4_gib(void **state)
{
    const struct e820_entry expected[] = {
        { 0, 0x9fc00, E820_RAM },
        { 0x9fc00, 0x60400, E820_RESERVED },
        { 0x100000, 0xbff00000, E820_RAM },
        { 0x100000000, 0x40000000, E820_RAM },
    };

    (void)state;
    assert_map(0x100000000, expected, 4);
}

static void rom_is_reserved_and_in_its_place(void **state)
{
    struct e820_entry map[E820_ENTRIES_MAX];
    struct guest_memory memory;
    struct error err;

    (void)state;
    assert_int_equal(guest_memory_init(&memory, 0, 0x100000000, &err), 0);
    assert_int_equal(guest_memory_add_rom(&memory, 0xffff0000, 0x10000, &err), 0);
    assert_int_equal(e820_fill(&memory, map), 5);
    assert_int_equal(map[3].start, 0xffff0000);
    assert_int_equal(map[3].size, 0x10000);
    assert_int_equal(map[3].type, E820_RESERVED);
    assert_int_equal(map[4].start, 0x100000000);
    guest_memory_deinit(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bios_area_is_reserved),
        cmocka_unit_test(memory_of_1_mib_ends_below_the_bios_area),
        cmocka_unit_test(memory_of_64_kib_is_all_there_is),
        cmocka_unit_test(memory_goes_on_at_4_gib),
        cmocka_unit_test(rom_is_reserved_and_in_its_place),
    };

    return cmocka_run_group_tests_name("e820", tests, NULL, NULL);
}

#include "unit_test.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kvm/guest_memory.h"
#include "memfd.h"

enum { SIZE = 64 * 1024 };

static void map(struct guest_memory *memory, gpa_t base)
{
    struct error err;

    assert_int_equal(guest_memory_init(memory, base, SIZE, &err), 0);
}

static void new_memory_is_all_zeros(void **state)
{
    static const unsigned char zeros[SIZE];
    static unsigned char bytes[SIZE];
    struct guest_memory memory;

    (void)state;
    map(&memory, 0);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(guest_memory_read(&memory, 0, bytes, SIZE), 0);
    assert_memory_equal(bytes, zeros, SIZE);
    guest_memory_deinit(&memory);
}

static void what_is_written_is_read_back_at_its_address(void **state)
{
    struct guest_memory memory;
    char bytes[8] = "";

    (void)state;
    map(&memory, 0x80000000);
    assert_int_equal(guest_memory_write(&memory, 0x80001234, "guest", 5), 0);
    assert_int_equal(guest_memory_read(&memory, 0x80001233, bytes, 7), 0);
    assert_memory_equal(bytes, "\0guest\0", 7);
    guest_memory_deinit(&memory);
}

static void memory_holds_its_first_and_its_last_byte(void **state)
{
    struct guest_memory memory;
    char byte = 'x';

    (void)state;
    map(&memory, 0x10000);
    assert_int_equal(guest_memory_write(&memory, 0x10000, &byte, 1), 0);
    assert_int_equal(guest_memory_write(&memory, 0x10000 + SIZE - 1, &byte, 1), 0);
    assert_int_equal(guest_memory_write(&memory, 0xffff, &byte, 1), -EFAULT);
    assert_int_equal(guest_memory_write(&memory, 0x10000 + SIZE, &byte, 1), -EFAULT);
    guest_memory_deinit(&memory);
}

/* What a guest may hand over, against memory at base. */
static void assert_holds(gpa_t base, gpa_t address, uint64_t size, bool expected)
{
    static unsigned char bytes[SIZE];
    const struct guest_memory memory = {
        .base = base,
        .size = SIZE,
        .regions = { { .host = bytes, .base = base, .size = SIZE } },
        .region_count = 1,
    };

    assert_int_equal(guest_memory_holds(&memory, address, size), expected);
}

static void range_must_end_within_memory(void **state)
{
    (void)state;
    assert_holds(0, 0, SIZE, true);
    assert_holds(0, 0, SIZE + 1, false);
    assert_holds(0, SIZE - 4, 4, true);
    assert_holds(0, SIZE - 3, 4, false);
    assert_holds(0x80000000, 0x80000000, SIZE, true);
    assert_holds(0x80000000, 0x7fffffff, 2, false);
}

static void range_that_wraps_around_2_to_the_64_is_not_held(void **state)
{
    (void)state;
    assert_holds(0, UINT64_MAX, 1, false);
    assert_holds(0, UINT64_MAX, 2, false);
    assert_holds(0, UINT64_MAX - 0xff, 0x200, false);
    assert_holds(0, 1, UINT64_MAX, false);
    assert_holds(0, 0x1000, UINT64_MAX - 0xfff, false);
    assert_holds(0, UINT64_MAX, UINT64_MAX, false);
    assert_holds(0x10000, 0x10000, UINT64_MAX, false);
}

static void memory_may_end_at_2_to_the_64(void **state)
{
    const gpa_t base = UINT64_MAX - SIZE + 1;

    (void)state;
    assert_holds(base, base, SIZE, true);
    assert_holds(base, UINT64_MAX, 1, true);
    assert_holds(base, UINT64_MAX, 2, false);
    assert_holds(base, 0, 1, false);
    assert_holds(base, base - 1, 1, false);
}

static void range_of_no_bytes_is_held_up_to_the_end(void **state)
{
    (void)state;
    assert_holds(0, 0, 0, true);
    assert_holds(0, SIZE, 0, true);
    assert_holds(0, SIZE + 1, 0, false);
    assert_holds(0x10000, 0xffff, 0, false);
    assert_holds(0, UINT64_MAX, 0, false);
}

static void copy_that_does_not_fit_copies_nothing(void **state)
{
    char bytes[16] = "untouched";
    struct guest_memory memory;

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_write(&memory, SIZE - 4, "too long", 8), -EFAULT);
    assert_int_equal(guest_memory_read(&memory, SIZE - 4, bytes, 8), -EFAULT);
    assert_string_equal(bytes, "untouched");
    assert_int_equal(guest_memory_read(&memory, SIZE - 4, bytes, 4), 0);
    assert_memory_equal(bytes, "\0\0\0\0", 4);
    guest_memory_deinit(&memory);
}

static void copy_of_no_bytes_succeeds(void **state)
{
    struct guest_memory memory;

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_write(&memory, SIZE, "", 0), 0);
    assert_int_equal(guest_memory_read(&memory, 0, &memory, 0), 0);
    guest_memory_deinit(&memory);
}

static void load_reads_a_part_of_a_file(void **state)
{
    int fd = memfd_of("0123456789", 10);
    struct guest_memory memory;
    char bytes[8];

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_load(&memory, 0x1000, fd, 3, 5), 0);
    assert_int_equal(guest_memory_read(&memory, 0xfff, bytes, 7), 0);
    assert_memory_equal(bytes, "\00034567\0", 7);
    guest_memory_deinit(&memory);
    close(fd);
}

static void load_may_fill_memory_to_its_last_byte(void **state)
{
    int fd = memfd_of("0123456789", 10);
    struct guest_memory memory;
    char bytes[10];

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_load(&memory, SIZE - 10, fd, 0, 10), 0);
    assert_int_equal(guest_memory_read(&memory, SIZE - 10, bytes, 10), 0);
    assert_memory_equal(bytes, "0123456789", 10);
    assert_int_equal(guest_memory_load(&memory, SIZE - 9, fd, 0, 10), -EFAULT);
    guest_memory_deinit(&memory);
    close(fd);
}

static void load_of_more_than_the_file_has_says_so(void **state)
{
    int fd = memfd_of("0123456789", 10);
    struct guest_memory memory;

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_load(&memory, 0, fd, 0, 11), -ENODATA);
    assert_int_equal(guest_memory_load(&memory, 0, fd, 100, 1), -ENODATA);
    guest_memory_deinit(&memory);
    close(fd);
}

static void load_of_what_cannot_be_read_says_why(void **state)
{
    struct guest_memory memory;

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_load(&memory, 0, -1, 0, 1), -EBADF);
    guest_memory_deinit(&memory);
}

static void more_memory_than_the_host_can_address_is_an_error_with_a_sentence(void **state)
{
    struct guest_memory memory;
    struct error err;

    (void)state;
    assert_int_equal(guest_memory_init(&memory, 0, UINT64_C(1) << 62, &err), -ENOMEM);
    assert_string_equal(err.text, "cannot map 4611686018427387904 bytes of guest memory: "
                                  "Cannot allocate memory");
}

static void deinit_leaves_memory_that_holds_nothing_and_may_be_repeated(void **state)
{
    struct guest_memory memory;
    char byte;

    (void)state;
    map(&memory, 0);
    guest_memory_deinit(&memory);
    assert_int_equal(guest_memory_read(&memory, 0, &byte, 1), -EFAULT);
    guest_memory_deinit(&memory);
}

enum { ROM_SIZE = 8192 };
#define ROM_BASE (GUEST_HOLE_END - ROM_SIZE)

static void rom_is_filled_like_ram_and_is_read_only_for_the_guest(void **state)
{
    int fd = memfd_of("0123456789", 10);
    struct guest_memory memory;
    struct error err;
    char bytes[10];

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_add_rom(&memory, ROM_BASE, ROM_SIZE, &err), 0);
    assert_int_equal(guest_memory_load(&memory, ROM_BASE, fd, 0, 10), 0);
    assert_int_equal(guest_memory_write(&memory, ROM_BASE + 4, "x", 1), 0);
    assert_int_equal(guest_memory_read(&memory, ROM_BASE, bytes, 10), 0);
    assert_memory_equal(bytes, "0123x56789", 10);
    assert_int_equal(memory.region_count, 2);
    assert_false(memory.regions[0].readonly);
    assert_true(memory.regions[1].readonly);
    assert_int_equal(memory.size, SIZE);
    guest_memory_deinit(&memory);
    close(fd);
}

static void assert_rom_refused(gpa_t base, uint64_t size, const char *expected)
{
    struct guest_memory memory;
    struct error err;

    map(&memory, 0x10000);
    assert_int_equal(guest_memory_add_rom(&memory, base, size, &err), -EINVAL);
    assert_string_equal(err.text, expected);
    assert_int_equal(memory.region_count, 1);
    guest_memory_deinit(&memory);
}

static void rom_of_broken_pages_is_refused(void **state)
{
    (void)state;
    assert_rom_refused(0x1000, 0, "a ROM of 0 bytes at 0x1000 is not whole pages below 2^64");
    assert_rom_refused(0x1000, 1, "a ROM of 1 bytes at 0x1000 is not whole pages below 2^64");
    assert_rom_refused(0x1001, 4096, "a ROM of 4096 bytes at 0x1001 is not whole pages below 2^64");
    assert_rom_refused(UINT64_MAX - 0xfff, 8192,
                       "a ROM of 8192 bytes at 0xfffffffffffff000 is not whole pages below 2^64");
}

static void rom_over_other_memory_is_refused(void **state)
{
    (void)state;
    assert_rom_refused(0xf000, 8192,
                       "a ROM of 8192 bytes at 0xf000 would overlap the memory at 0x10000");
    assert_rom_refused(0x10000 + SIZE - 4096, 4096,
                       "a ROM of 4096 bytes at 0x1f000 would overlap the memory at 0x10000");
}

static void rom_may_end_at_2_to_the_64_and_touch_ram(void **state)
{
    struct guest_memory memory;
    struct error err;

    (void)state;
    map(&memory, 0x10000);
    assert_int_equal(guest_memory_add_rom(&memory, UINT64_MAX - 0xfff, 4096, &err), 0);
    assert_int_equal(guest_memory_add_rom(&memory, 0x10000 + SIZE, 4096, &err), 0);
    assert_int_equal(guest_memory_add_rom(&memory, 0xf000, 4096, &err), 0);
    assert_int_equal(guest_memory_add_rom(&memory, 0x100000, 4096, &err), -ENOSPC);
    assert_string_equal(err.text, "the guest's memory has all its 4 regions");
    guest_memory_deinit(&memory);
}

static void range_across_two_regions_is_not_held(void **state)
{
    struct guest_memory memory;
    struct error err;

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_add_rom(&memory, SIZE, ROM_SIZE, &err), 0);
    assert_true(guest_memory_holds(&memory, SIZE - 1, 1));
    assert_true(guest_memory_holds(&memory, SIZE, ROM_SIZE));
    assert_false(guest_memory_holds(&memory, SIZE - 1, 2));
    guest_memory_deinit(&memory);
}

static void ram_that_begins_at_0_leaves_a_hole_below_4_gib(void **state)
{
    struct guest_memory memory;
    struct error err;
    char byte = 'x';

    (void)state;
    assert_int_equal(guest_memory_init(&memory, 0, GUEST_HOLE_START + SIZE, &err), 0);
    assert_true(guest_memory_holds(&memory, 0, GUEST_HOLE_START));
    assert_false(guest_memory_holds(&memory, GUEST_HOLE_START, 1));
    assert_false(guest_memory_holds(&memory, GUEST_HOLE_END - 1, 1));
    assert_true(guest_memory_holds(&memory, GUEST_HOLE_END, SIZE));
    assert_false(guest_memory_holds(&memory, GUEST_HOLE_END, SIZE + 1));
    assert_int_equal(guest_memory_write(&memory, GUEST_HOLE_END + SIZE - 1, &byte, 1), 0);
    guest_memory_deinit(&memory);
}

static void ram_up_to_the_hole_is_one_region(void **state)
{
    struct guest_memory memory;
    struct error err;

    (void)state;
    assert_int_equal(guest_memory_init(&memory, 0, GUEST_HOLE_START, &err), 0);
    assert_int_equal(memory.region_count, 1);
    guest_memory_deinit(&memory);
}

static void ram_that_begins_elsewhere_has_no_hole(void **state)
{
    struct guest_memory memory;
    struct error err;

    (void)state;
    assert_int_equal(guest_memory_init(&memory, 0x80000000, GUEST_HOLE_END, &err), 0);
    assert_true(guest_memory_holds(&memory, 0x80000000, GUEST_HOLE_END));
    guest_memory_deinit(&memory);
}

static void tables_are_memory_that_the_guest_may_write(void **state)
{
    struct guest_memory memory;
    struct error err;
    char bytes[2] = "";

    (void)state;
    map(&memory, 0);
    assert_int_equal(guest_memory_add_tables(&memory, ROM_BASE, ROM_SIZE, &err), 0);
    assert_int_equal(guest_memory_write(&memory, ROM_BASE, "t", 1), 0);
    assert_int_equal(guest_memory_read(&memory, ROM_BASE, bytes, 1), 0);
    assert_string_equal(bytes, "t");
    assert_false(memory.regions[1].readonly);
    assert_int_equal(memory.size, SIZE);
    assert_int_equal(guest_memory_add_tables(&memory, 0, ROM_SIZE, &err), -EINVAL);
    assert_string_equal(err.text,
                        "a region for tables of 8192 bytes at 0x0 would overlap the memory "
                        "at 0x0");
    guest_memory_deinit(&memory);
}

static void word_is_where_the_guest_has_it(void **state)
{
    struct guest_memory memory;
    const uint32_t written = 0x12345678;
    uint32_t *word, read;

    (void)state;
    map(&memory, 0x10000);
    assert_int_equal(guest_memory_write(&memory, 0x10000 + SIZE - 4, &written, 4), 0);
    word = guest_memory_word(&memory, 0x10000 + SIZE - 4);
    assert_non_null(word);
    assert_int_equal(*word, written);
    *word = 7;
    assert_int_equal(guest_memory_read(&memory, 0x10000 + SIZE - 4, &read, 4), 0);
    assert_int_equal(read, 7);
    guest_memory_deinit(&memory);
}

static void word_that_is_not_aligned_or_not_memory_is_none(void **state)
{
    struct guest_memory memory;

    (void)state;
    map(&memory, 0x10000);
    for (unsigned i = 1; i < 4; i++)
        assert_null(guest_memory_word(&memory, 0x10000 + i));
    assert_null(guest_memory_word(&memory, 0x10000 - 4));
    assert_null(guest_memory_word(&memory, 0x10000 + SIZE));
    assert_null(guest_memory_word(&memory, UINT64_MAX - 3));
    guest_memory_deinit(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_all_zeros),
        cmocka_unit_test(what_is_written_is_read_back_at_its_address),
        cmocka_unit_test(memory_holds_its_first_and_its_last_byte),
        cmocka_unit_test(range_must_end_within_memory),
        cmocka_unit_test(range_that_wraps_around_2_to_the_64_is_not_held),
        cmocka_unit_test(memory_may_end_at_2_to_the_64),
        cmocka_unit_test(range_of_no_bytes_is_held_up_to_the_end),
        cmocka_unit_test(copy_that_does_not_fit_copies_nothing),
        cmocka_unit_test(copy_of_no_bytes_succeeds),
        cmocka_unit_test(load_reads_a_part_of_a_file),
        cmocka_unit_test(load_may_fill_memory_to_its_last_byte),
        cmocka_unit_test(load_of_more_than_the_file_has_says_so),
        cmocka_unit_test(load_of_what_cannot_be_read_says_why),
        cmocka_unit_test(more_memory_than_the_host_can_address_is_an_error_with_a_sentence),
        cmocka_unit_test(deinit_leaves_memory_that_holds_nothing_and_may_be_repeated),
        cmocka_unit_test(rom_is_filled_like_ram_and_is_read_only_for_the_guest),
        cmocka_unit_test(rom_of_broken_pages_is_refused),
        cmocka_unit_test(rom_over_other_memory_is_refused),
        cmocka_unit_test(rom_may_end_at_2_to_the_64_and_touch_ram),
        cmocka_unit_test(range_across_two_regions_is_not_held),
        cmocka_unit_test(ram_that_begins_at_0_leaves_a_hole_below_4_gib),
        cmocka_unit_test(ram_up_to_the_hole_is_one_region),
        cmocka_unit_test(ram_that_begins_elsewhere_has_no_hole),
        cmocka_unit_test(tables_are_memory_that_the_guest_may_write),
        cmocka_unit_test(word_is_where_the_guest_has_it),
        cmocka_unit_test(word_that_is_not_aligned_or_not_memory_is_none),
    };

    return cmocka_run_group_tests_name("guest_memory", tests, NULL, NULL);
}

#include "unit_test.h"

#include "image_fixture.h"

enum { KIB = 1024, MEMORY = 1024 * KIB, PAGE = 4096 };

/* A ROM of size bytes, of the far jump that BIOSes have at their reset vector and 'r' else. */
static void init(struct image_fixture *fixture, size_t size, uint64_t memory)
{
    static const unsigned char jump[] = { 0xea, 0x5b, 0xe0, 0x00, 0xf0 };
    static unsigned char bytes[512 * KIB];

    memset(bytes, 'r', sizeof(bytes));
    if (size >= 16)
        memcpy(bytes + size - 16, jump, sizeof(jump));
    image_fixture_init(fixture, bytes, size, memory);
}

static void assert_loaded(size_t size)
{
    struct image_fixture fixture;

    init(&fixture, size, MEMORY);
    image_fixture_accept(&fixture, IMAGE_ROM);
    assert_int_equal(fixture.boot.mode, BOOT_RESET);
    image_fixture_expect(&fixture, 0xffff0, "\xea\x5b\xe0\x00\xf0rr", 7);
    image_fixture_expect(&fixture, 0xfffffff0, "\xea\x5b\xe0\x00\xf0rr", 7);
    image_fixture_expect(&fixture, MEMORY - size - 1, "\0rr", 3);
    image_fixture_expect(&fixture, GUEST_HOLE_END - size, "rr", 2);
    assert_false(guest_memory_holds(&fixture.memory, GUEST_HOLE_END - size - 1, 1));
    image_fixture_deinit(&fixture);
}

static void assert_refused(size_t size, uint64_t memory, const char *expected)
{
    struct image_fixture fixture;

    init(&fixture, size, memory);
    image_fixture_refuse(&fixture, IMAGE_ROM, expected);
    assert_int_equal(fixture.memory.region_count, 1);
    image_fixture_deinit(&fixture);
}

static void rom_ends_at_1_mib_and_at_4_gib(void **state)
{
    (void)state;
    assert_loaded(64 * KIB);
    assert_loaded(128 * KIB);
    assert_loaded(256 * KIB);
}

static void rom_may_be_one_page(void **state)
{
    (void)state;
    assert_loaded(PAGE);
}

static void rom_below_4_gib_is_read_only_and_the_one_below_1_mib_is_not(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, 64 * KIB, MEMORY);
    image_fixture_accept(&fixture, IMAGE_ROM);
    assert_int_equal(fixture.memory.region_count, 2);
    assert_false(fixture.memory.regions[0].readonly);
    assert_true(fixture.memory.regions[1].readonly);
    image_fixture_deinit(&fixture);
}

static void rom_of_broken_pages_is_refused(void **state)
{
    (void)state;
    assert_refused(0, MEMORY, "'x' has 0 bytes; a ROM has a multiple of 4096, and at most 262144");
    assert_refused(PAGE - 1, MEMORY,
                   "'x' has 4095 bytes; a ROM has a multiple of 4096, and at most 262144");
}

static void rom_of_more_than_256_kib_is_refused(void **state)
{
    (void)state;
    assert_refused(256 * KIB + PAGE, MEMORY,
                   "'x' has 266240 bytes; a ROM has a multiple of 4096, and at most 262144");
}

static void rom_of_an_absurd_size_is_refused(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, PAGE, MEMORY);
    fixture.request.image.size = UINT64_MAX - PAGE + 1;
    image_fixture_refuse(&fixture, IMAGE_ROM,
                         "'x' has 18446744073709547520 bytes; a ROM has a multiple of 4096, and at "
                         "most 262144");
    image_fixture_deinit(&fixture);
}

static void memory_below_1_mib_is_too_small(void **state)
{
    (void)state;
    assert_refused(
        64 * KIB, MEMORY - PAGE,
        "'x': a ROM ends at 1 MiB, and the guest's memory of 1044480 bytes does not reach "
        "that far; it needs 1048576 or more");
    assert_refused(64 * KIB, 64 * KIB,
                   "'x': a ROM ends at 1 MiB, and the guest's memory of 65536 bytes does not reach "
                   "that far; it needs 1048576 or more");
}

static void erased_reset_vector_is_refused(void **state)
{
    static unsigned char bytes[64 * KIB];
    struct image_fixture fixture;

    (void)state;
    image_fixture_init(&fixture, bytes, sizeof(bytes), MEMORY);
    image_fixture_refuse(&fixture, IMAGE_ROM,
                         "'x' has nothing at its reset vector: its last 16 bytes are all 0x00");
    image_fixture_deinit(&fixture);
    memset(bytes, 0xff, sizeof(bytes));
    image_fixture_init(&fixture, bytes, sizeof(bytes), MEMORY);
    image_fixture_refuse(&fixture, IMAGE_ROM,
                         "'x' has nothing at its reset vector: its last 16 bytes are all 0xff");
    image_fixture_deinit(&fixture);
}

static void file_that_became_shorter_is_refused(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, 64 * KIB, MEMORY);
    assert_int_equal(ftruncate(fixture.request.image.fd, PAGE), 0);
    image_fixture_refuse(&fixture, IMAGE_ROM, "cannot read 'x': it became shorter meanwhile");
    image_fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rom_ends_at_1_mib_and_at_4_gib),
        cmocka_unit_test(rom_may_be_one_page),
        cmocka_unit_test(rom_below_4_gib_is_read_only_and_the_one_below_1_mib_is_not),
        cmocka_unit_test(rom_of_broken_pages_is_refused),
        cmocka_unit_test(rom_of_more_than_256_kib_is_refused),
        cmocka_unit_test(rom_of_an_absurd_size_is_refused),
        cmocka_unit_test(memory_below_1_mib_is_too_small),
        cmocka_unit_test(erased_reset_vector_is_refused),
        cmocka_unit_test(file_that_became_shorter_is_refused),
    };

    return cmocka_run_group_tests_name("rom", tests, NULL, NULL);
}

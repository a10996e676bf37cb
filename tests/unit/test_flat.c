#include "unit_test.h"

#include "image_fixture.h"

enum { MEMORY_SIZE = 1024 * 1024 };

static const char image[] = "0123456789abcdef";
enum { IMAGE_SIZE = sizeof(image) - 1 };

/* Where a request asks for the image to be loaded and entered. */
struct place {
    bool load_given;
    gpa_t load;
    bool entry_given;
    gpa_t entry;
    bool mode_given;
    enum boot_mode mode;
};

static void init(struct image_fixture *fixture, const struct place *place)
{
    image_fixture_init(fixture, image, IMAGE_SIZE, MEMORY_SIZE);
    fixture->request.load_given = place->load_given;
    fixture->request.load = place->load;
    fixture->request.entry_given = place->entry_given;
    fixture->request.entry = place->entry;
    fixture->request.mode_given = place->mode_given;
    fixture->request.mode = place->mode;
}

/* The image, said to have size bytes, is refused there with that sentence. */
static void assert_refused(uint64_t size, struct place place, const char *expected)
{
    struct image_fixture fixture;

    init(&fixture, &place);
    fixture.request.image.size = size;
    image_fixture_refuse(&fixture, IMAGE_FLAT, expected);
    image_fixture_deinit(&fixture);
}

static void assert_loaded(uint64_t size, struct place place, struct boot expected)
{
    struct image_fixture fixture;

    init(&fixture, &place);
    fixture.request.image.size = size;
    image_fixture_accept(&fixture, IMAGE_FLAT);
    image_fixture_expect(&fixture, expected.stack, image, size);
    assert_int_equal(fixture.boot.mode, expected.mode);
    assert_int_equal(fixture.boot.entry, expected.entry);
    assert_int_equal(fixture.boot.stack, expected.stack);
    image_fixture_deinit(&fixture);
}

static struct place at(gpa_t load)
{
    return (struct place){ .load_given = true, .load = load };
}

static struct boot real(gpa_t entry)
{
    return (struct boot){ .mode = BOOT_REAL, .entry = entry, .stack = entry };
}

static void image_is_entered_in_real_mode_at_0x1000_unless_the_request_says_otherwise(void **state)
{
    (void)state;
    assert_loaded(IMAGE_SIZE, (struct place){ 0 }, real(0x1000));
}

static void image_is_copied_and_entered_where_it_is_loaded_with_the_stack_below(void **state)
{
    (void)state;
    assert_loaded(IMAGE_SIZE, at(0x1000), real(0x1000));
    assert_loaded(IMAGE_SIZE, at(0x7c00), real(0x7c00));
}

static void one_byte_is_an_image(void **state)
{
    (void)state;
    assert_loaded(1, at(0x1000), real(0x1000));
}

static void image_may_be_loaded_at_0_and_at_the_last_address_of_real_mode(void **state)
{
    (void)state;
    assert_loaded(IMAGE_SIZE, at(0), real(0));
    assert_loaded(IMAGE_SIZE, at(0xffff), real(0xffff));
}

static void image_may_be_entered_at_its_last_byte(void **state)
{
    (void)state;
    assert_loaded(
        IMAGE_SIZE, (struct place){ .entry_given = true, .entry = 0x1000 + IMAGE_SIZE - 1 },
        (struct boot){ .mode = BOOT_REAL, .entry = 0x1000 + IMAGE_SIZE - 1, .stack = 0x1000 });
}

static void image_is_entered_in_the_mode_asked_for(void **state)
{
    struct place place = { .mode_given = true, .mode = BOOT_PROTECTED };

    (void)state;
    assert_loaded(IMAGE_SIZE, place,
                  (struct boot){ .mode = BOOT_PROTECTED, .entry = 0x1000, .stack = 0x1000 });
    place.mode = BOOT_LONG;
    assert_loaded(IMAGE_SIZE, place,
                  (struct boot){ .mode = BOOT_LONG, .entry = 0x1000, .stack = 0x1000 });
    place.mode = BOOT_REAL;
    assert_loaded(IMAGE_SIZE, place, real(0x1000));
}

static void image_for_another_mode_may_be_loaded_above_64_kib(void **state)
{
    struct place place = at(0x80000);

    (void)state;
    place.mode_given = true;
    place.mode = BOOT_PROTECTED;
    assert_loaded(IMAGE_SIZE, place,
                  (struct boot){ .mode = BOOT_PROTECTED, .entry = 0x80000, .stack = 0x80000 });
    place.mode = BOOT_LONG;
    assert_loaded(IMAGE_SIZE, place,
                  (struct boot){ .mode = BOOT_LONG, .entry = 0x80000, .stack = 0x80000 });
}

static void image_cannot_be_entered_at_the_reset_vector(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &(struct place){ .mode_given = true, .mode = BOOT_RESET });
    image_fixture_refuse_parameter(&fixture, IMAGE_FLAT, "mode",
                                   "a flat image cannot be entered in mode 'reset' here; accepted: "
                                   "real, protected, long");
    image_fixture_deinit(&fixture);
}

static void entry_outside_of_the_image_is_refused(void **state)
{
    struct place place = { .entry_given = true, .entry = 0x1010 };

    (void)state;
    assert_refused(IMAGE_SIZE, place,
                   "entry 0x1010 lies outside of the image, which is at 0x1000 to 0x100f");
    place.entry = 0xfff;
    assert_refused(IMAGE_SIZE, place,
                   "entry 0xfff lies outside of the image, which is at 0x1000 to 0x100f");
}

static void entry_above_4_gib_is_refused(void **state)
{
    struct place place = {
        .entry_given = true, .entry = UINT64_MAX, .mode_given = true, .mode = BOOT_LONG
    };

    (void)state;
    assert_refused(
        IMAGE_SIZE, place,
        "entry 0xffffffffffffffff cannot be entered in long mode; 0x0 to 0xffffffff can");
}

static void empty_image_is_refused(void **state)
{
    (void)state;
    assert_refused(0, at(0x1000), "the image is empty; a guest needs at least one byte");
}

static void load_address_past_real_mode_is_refused(void **state)
{
    (void)state;
    assert_refused(IMAGE_SIZE, at(0x10000),
                   "load address 0x10000 cannot be entered in real mode; 0x0 to 0xffff can");
}

static void image_larger_than_memory_is_refused(void **state)
{
    (void)state;
    assert_refused(MEMORY_SIZE - 0x1000 + 1, at(0x1000),
                   "the image's 1044481 bytes at 0x1000 do not fit the guest's memory of 1048576 "
                   "bytes at 0x0");
    assert_refused(UINT64_MAX, at(0x1000),
                   "the image's 18446744073709551615 bytes at 0x1000 do not fit the guest's memory "
                   "of 1048576 bytes at 0x0");
}

static void load_address_outside_of_memory_is_refused(void **state)
{
    (void)state;
    assert_refused(IMAGE_SIZE, at(UINT64_MAX),
                   "the image's 16 bytes at 0xffffffffffffffff do not fit the guest's memory of "
                   "1048576 bytes at 0x0");
}

static void image_may_fill_memory_exactly(void **state)
{
    static char bytes[MEMORY_SIZE - 0x1000];
    struct image_fixture fixture;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    image_fixture_init(&fixture, bytes, sizeof(bytes), MEMORY_SIZE);
    image_fixture_accept(&fixture, IMAGE_FLAT);
    image_fixture_expect(&fixture, MEMORY_SIZE - 1, "x", 1);
    image_fixture_deinit(&fixture);
}

static void file_that_became_shorter_is_refused(void **state)
{
    (void)state;
    assert_refused(IMAGE_SIZE + 1, at(0x1000),
                   "cannot read the image: it became shorter meanwhile");
}

static void file_that_cannot_be_read_is_refused_with_the_reason(void **state)
{
    struct image_fixture fixture;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    init(&fixture, &(struct place){ 0 });
    assert_int_equal(dup2(fds[0], fixture.request.image.fd), fixture.request.image.fd);
    image_fixture_refuse(&fixture, IMAGE_FLAT, "cannot read the image: Illegal seek");
    image_fixture_deinit(&fixture);
    close(fds[0]);
    close(fds[1]);
}

static void position_of_the_descriptor_does_not_matter(void **state)
{
    struct image_fixture fixture;
    int fd;

    (void)state;
    init(&fixture, &(struct place){ 0 });
    fd = fixture.request.image.fd;
    assert_int_equal(lseek(fd, 0, SEEK_END), IMAGE_SIZE);
    image_fixture_accept(&fixture, IMAGE_FLAT);
    image_fixture_expect(&fixture, 0x1000, image, IMAGE_SIZE);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), IMAGE_SIZE);
    image_fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_is_entered_in_real_mode_at_0x1000_unless_the_request_says_otherwise),
        cmocka_unit_test(image_is_copied_and_entered_where_it_is_loaded_with_the_stack_below),
        cmocka_unit_test(one_byte_is_an_image),
        cmocka_unit_test(image_may_be_loaded_at_0_and_at_the_last_address_of_real_mode),
        cmocka_unit_test(image_may_be_entered_at_its_last_byte),
        cmocka_unit_test(image_is_entered_in_the_mode_asked_for),
        cmocka_unit_test(image_for_another_mode_may_be_loaded_above_64_kib),
        cmocka_unit_test(image_cannot_be_entered_at_the_reset_vector),
        cmocka_unit_test(entry_outside_of_the_image_is_refused),
        cmocka_unit_test(entry_above_4_gib_is_refused),
        cmocka_unit_test(empty_image_is_refused),
        cmocka_unit_test(load_address_past_real_mode_is_refused),
        cmocka_unit_test(image_larger_than_memory_is_refused),
        cmocka_unit_test(load_address_outside_of_memory_is_refused),
        cmocka_unit_test(image_may_fill_memory_exactly),
        cmocka_unit_test(file_that_became_shorter_is_refused),
        cmocka_unit_test(file_that_cannot_be_read_is_refused_with_the_reason),
        cmocka_unit_test(position_of_the_descriptor_does_not_matter),
    };

    return cmocka_run_group_tests_name("flat", tests, NULL, NULL);
}

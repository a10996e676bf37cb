#include "unit_test.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "image/flat.h"
#include "memfd.h"

enum { MEMORY_SIZE = 1024 * 1024 };

static const char image[] = "0123456789abcdef";
enum { IMAGE_SIZE = sizeof(image) - 1 };

static void map(struct guest_memory *memory)
{
    struct error err;

    assert_int_equal(guest_memory_init(memory, 0, MEMORY_SIZE, &err), 0);
}

/* The image, said to have size bytes, is refused at that address with that sentence. */
static void assert_refused(uint64_t size, gpa_t load, const char *expected)
{
    int fd = memfd_of(image, IMAGE_SIZE);
    struct boot boot = { .entry = 0x5555 };
    struct guest_memory memory;
    struct error err;

    map(&memory);
    assert_int_equal(flat_load(&memory, fd, size, load, &boot, &err), -ENOEXEC);
    assert_int_equal(err.code, -ENOEXEC);
    assert_string_equal(err.text, expected);
    assert_int_equal(boot.entry, 0x5555);
    guest_memory_deinit(&memory);
    close(fd);
}

static void assert_loaded(uint64_t size, gpa_t load)
{
    int fd = memfd_of(image, IMAGE_SIZE);
    struct guest_memory memory;
    char bytes[IMAGE_SIZE];
    struct boot boot;
    struct error err;

    map(&memory);
    assert_int_equal(flat_load(&memory, fd, size, load, &boot, &err), 0);
    assert_int_equal(guest_memory_read(&memory, load, bytes, size), 0);
    assert_memory_equal(bytes, image, size);
    assert_int_equal(boot.mode, BOOT_REAL);
    assert_int_equal(boot.entry, load);
    assert_int_equal(boot.stack, load);
    guest_memory_deinit(&memory);
    close(fd);
}

static void image_is_copied_and_entered_where_it_is_loaded_with_the_stack_below(void **state)
{
    (void)state;
    assert_loaded(IMAGE_SIZE, 0x1000);
    assert_loaded(IMAGE_SIZE, 0x7c00);
}

static void one_byte_is_an_image(void **state)
{
    (void)state;
    assert_loaded(1, 0x1000);
}

static void image_may_be_loaded_at_0_and_at_the_last_address_of_real_mode(void **state)
{
    (void)state;
    assert_loaded(IMAGE_SIZE, 0);
    assert_loaded(IMAGE_SIZE, 0xffff);
}

static void empty_image_is_refused(void **state)
{
    (void)state;
    assert_refused(0, 0x1000, "the image is empty; a guest needs at least one byte");
}

static void load_address_past_real_mode_is_refused(void **state)
{
    (void)state;
    assert_refused(IMAGE_SIZE, 0x10000,
                   "load address 0x10000 cannot be entered in real mode; 0x0 to 0xffff can");
    assert_refused(IMAGE_SIZE, UINT64_MAX,
                   "load address 0xffffffffffffffff cannot be entered in real mode; "
                   "0x0 to 0xffff can");
}

static void image_larger_than_memory_is_refused(void **state)
{
    (void)state;
    assert_refused(MEMORY_SIZE - 0x1000 + 1, 0x1000,
                   "the image's 1044481 bytes at 0x1000 do not fit the guest's memory of 1048576 "
                   "bytes");
    assert_refused(UINT64_MAX, 0x1000,
                   "the image's 18446744073709551615 bytes at 0x1000 do not fit the guest's memory "
                   "of 1048576 bytes");
}

static void image_may_fill_memory_exactly(void **state)
{
    static char bytes[MEMORY_SIZE - 0x1000];
    struct guest_memory memory;
    struct boot boot;
    struct error err;
    char last;
    int fd;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    fd = memfd_of(bytes, sizeof(bytes));
    map(&memory);
    assert_int_equal(flat_load(&memory, fd, sizeof(bytes), 0x1000, &boot, &err), 0);
    assert_int_equal(guest_memory_read(&memory, MEMORY_SIZE - 1, &last, 1), 0);
    assert_int_equal(last, 'x');
    guest_memory_deinit(&memory);
    close(fd);
}

static void file_that_became_shorter_is_refused(void **state)
{
    (void)state;
    assert_refused(IMAGE_SIZE + 1, 0x1000, "cannot read the image: it became shorter meanwhile");
}

static void file_that_cannot_be_read_is_refused_with_the_reason(void **state)
{
    struct guest_memory memory;
    struct boot boot;
    struct error err;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    map(&memory);
    assert_int_equal(flat_load(&memory, fds[0], 1, 0x1000, &boot, &err), -ENOEXEC);
    assert_string_equal(err.text, "cannot read the image: Illegal seek");
    guest_memory_deinit(&memory);
    close(fds[0]);
    close(fds[1]);
}

static void position_of_the_descriptor_does_not_matter(void **state)
{
    int fd = memfd_of(image, IMAGE_SIZE);
    struct guest_memory memory;
    char bytes[IMAGE_SIZE];
    struct boot boot;
    struct error err;

    (void)state;
    assert_int_equal(lseek(fd, 0, SEEK_END), IMAGE_SIZE);
    map(&memory);
    assert_int_equal(flat_load(&memory, fd, IMAGE_SIZE, 0x1000, &boot, &err), 0);
    assert_int_equal(guest_memory_read(&memory, 0x1000, bytes, IMAGE_SIZE), 0);
    assert_memory_equal(bytes, image, IMAGE_SIZE);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), IMAGE_SIZE);
    guest_memory_deinit(&memory);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_is_copied_and_entered_where_it_is_loaded_with_the_stack_below),
        cmocka_unit_test(one_byte_is_an_image),
        cmocka_unit_test(image_may_be_loaded_at_0_and_at_the_last_address_of_real_mode),
        cmocka_unit_test(empty_image_is_refused),
        cmocka_unit_test(load_address_past_real_mode_is_refused),
        cmocka_unit_test(image_larger_than_memory_is_refused),
        cmocka_unit_test(image_may_fill_memory_exactly),
        cmocka_unit_test(file_that_became_shorter_is_refused),
        cmocka_unit_test(file_that_cannot_be_read_is_refused_with_the_reason),
        cmocka_unit_test(position_of_the_descriptor_does_not_matter),
    };

    return cmocka_run_group_tests_name("flat", tests, NULL, NULL);
}

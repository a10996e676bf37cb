#include "unit_test.h"

#include <stdio.h>

#include "image_fixture.h"

enum { SIZE = 64 * 1024, MULTIBOOT_AT = 0x100 };

static unsigned char bytes[SIZE];

/* A file of size bytes, each 0x90 so far. */
static void clear(void)
{
    memset(bytes, 0x90, sizeof(bytes));
}

static void put(size_t at, const char *pattern, size_t size)
{
    memcpy(bytes + at, pattern, size);
}

static void add_elf(void)
{
    put(0, "\177ELF", 4);
}

static void add_multiboot(void)
{
    put(MULTIBOOT_AT, "\x02\xb0\xad\x1b\0\0\0\0\xfe\x4f\x52\xe4", 12);
}

static void add_linux(void)
{
    put(0x1fe, "\x55\xaa", 2);
    put(0x202, "HdrS", 4);
}

static void add_rom(void)
{
    bytes[SIZE - 16] = 0xea;
}

/* The first size of the bytes are of that format, and this is noted about them. */
static void assert_recognised(size_t size, enum image_format format, bool pc, const char *note)
{
    struct image_fixture fixture;
    struct image_kind kind;

    image_fixture_init(&fixture, bytes, size, FIXTURE_MEMORY);
    assert_int_equal(image_recognise(&fixture.request, &kind, &fixture.err), 0);
    assert_string_equal(kind.note, note);
    assert_int_equal(kind.format, format);
    assert_int_equal(kind.kernel, pc);
    image_fixture_deinit(&fixture);
}

static void elf_file_is_recognised(void **state)
{
    (void)state;
    clear();
    add_elf();
    assert_recognised(SIZE, IMAGE_ELF, false, "recognised as elf");
    assert_recognised(4, IMAGE_ELF, false, "recognised as elf");
}

static void multiboot_kernel_is_recognised(void **state)
{
    (void)state;
    clear();
    add_multiboot();
    assert_recognised(SIZE, IMAGE_MULTIBOOT, true, "recognised as multiboot");
    assert_recognised(MULTIBOOT_AT + 12, IMAGE_MULTIBOOT, true, "recognised as multiboot");
}

static void multiboot_kernel_with_a_wrong_checksum_is_not(void **state)
{
    (void)state;
    clear();
    add_multiboot();
    bytes[MULTIBOOT_AT + 8]++;
    assert_recognised(SIZE, IMAGE_FLAT, false, "taken as flat: it has no other format's magic");
}

static void elf_file_with_a_multiboot_header_is_multiboot(void **state)
{
    (void)state;
    clear();
    add_elf();
    add_multiboot();
    assert_recognised(SIZE, IMAGE_MULTIBOOT, true,
                      "recognised as multiboot, by the header in an ELF file");
}

static void linux_kernel_is_recognised(void **state)
{
    (void)state;
    clear();
    add_linux();
    assert_recognised(SIZE, IMAGE_LINUX, true, "recognised as linux");
    assert_recognised(0x206, IMAGE_LINUX, true, "recognised as linux");
}

static void rom_is_recognised_by_its_size_and_the_jump_at_its_reset_vector(void **state)
{
    (void)state;
    clear();
    add_rom();
    assert_recognised(SIZE, IMAGE_ROM, true, "recognised as rom");
    assert_recognised(SIZE - 4096, IMAGE_FLAT, false,
                      "taken as flat: it has no other format's magic");
    clear();
    assert_recognised(SIZE, IMAGE_FLAT, false, "taken as flat: it has no other format's magic");
}

static void what_may_be_several_formats_is_flat_and_they_are_named(void **state)
{
    (void)state;
    clear();
    add_multiboot();
    add_linux();
    assert_recognised(
        SIZE, IMAGE_FLAT, false,
        "taken as flat, for it may be any of multiboot, linux; the format can be given");
    add_elf();
    add_rom();
    assert_recognised(
        SIZE, IMAGE_FLAT, false,
        "taken as flat, for it may be any of rom, multiboot, elf, linux; the format can be given");
}

static void what_is_nothing_else_is_flat(void **state)
{
    (void)state;
    clear();
    assert_recognised(1, IMAGE_FLAT, false, "taken as flat: it has no other format's magic");
    assert_recognised(0, IMAGE_FLAT, false, "taken as flat: it has no other format's magic");
}

static void boot_sector_is_flat_and_where_it_goes_is_noted(void **state)
{
    (void)state;
    clear();
    put(510, "\x55\xaa", 2);
    assert_recognised(512, IMAGE_FLAT, false,
                      "taken as flat: a boot sector, which expects to be loaded at 0x7c00");
}

static void boot_sector_that_has_its_place_is_not_told_where_it_goes(void **state)
{
    struct image_fixture fixture;
    struct image_kind kind;

    (void)state;
    clear();
    put(510, "\x55\xaa", 2);
    image_fixture_init(&fixture, bytes, 512, FIXTURE_MEMORY);
    fixture.request.load_given = true;
    assert_int_equal(image_recognise(&fixture.request, &kind, &fixture.err), 0);
    assert_string_equal(kind.note, "taken as flat: a boot sector");
    image_fixture_deinit(&fixture);
}

static void format_that_was_given_is_not_questioned(void **state)
{
    static const bool pc[] = {
        [IMAGE_ROM] = true, [IMAGE_MULTIBOOT] = true, [IMAGE_LINUX] = true, [IMAGE_ELF] = false
    };
    struct image_fixture fixture;
    struct image_kind kind;

    (void)state;
    clear();
    add_elf();
    image_fixture_init(&fixture, bytes, SIZE, FIXTURE_MEMORY);
    for (unsigned i = IMAGE_FLAT; i < IMAGE_FORMAT_COUNT; i++) {
        fixture.request.format = (enum image_format)i;
        assert_int_equal(image_recognise(&fixture.request, &kind, &fixture.err), 0);
        assert_int_equal(kind.format, i);
        assert_int_equal(kind.kernel, pc[i]);
        assert_string_equal(kind.note, "");
    }
    image_fixture_deinit(&fixture);
}

static void file_that_cannot_be_read_is_refused(void **state)
{
    struct image_fixture fixture;
    struct image_kind kind;

    (void)state;
    image_fixture_init(&fixture, "", 0, FIXTURE_MEMORY);
    fixture.request.image.size = 1;
    assert_int_equal(image_recognise(&fixture.request, &kind, &fixture.err), -ENOEXEC);
    assert_string_equal(fixture.err.text, "cannot read 'x': it became shorter meanwhile");
    image_fixture_deinit(&fixture);
}

static void assert_foreign(size_t at, const char *magic, const char *arch)
{
    struct image_fixture fixture;
    struct image_kind kind;
    char expected[128];

    clear();
    put(at, magic, 4);
    image_fixture_init(&fixture, bytes, at + 4, FIXTURE_MEMORY);
    snprintf(expected, sizeof(expected),
             "'x' is a Linux kernel for %s; this host runs x86-64 guests", arch);
    assert_int_equal(image_recognise(&fixture.request, &kind, &fixture.err), -ENOEXEC);
    assert_string_equal(fixture.err.text, expected);
    fixture.request.image.size--;
    assert_int_equal(image_recognise(&fixture.request, &kind, &fixture.err), 0);
    assert_int_equal(kind.format, IMAGE_FLAT);
    image_fixture_deinit(&fixture);
}

static void kernel_for_another_architecture_is_refused_by_name(void **state)
{
    (void)state;
    assert_foreign(0x38, "RSC\x05", "riscv64");
    assert_foreign(0x38, "ARM\x64", "arm64");
}

static void formats_have_the_words_of_the_wire(void **state)
{
    static const char *const words[] = { "auto", "flat", "rom", "multiboot", "elf", "linux" };

    (void)state;
    for (unsigned i = 0; i < IMAGE_FORMAT_COUNT; i++)
        assert_string_equal(image_format_to_string((enum image_format)i), words[i]);
}

/* A request with that parameter is refused by its name. */
static void assert_parameter(const struct image_request *with, enum image_format format,
                             const char *about, const char *expected)
{
    struct image_fixture fixture;
    struct image_file image;

    image_fixture_init(&fixture, bytes, SIZE, FIXTURE_MEMORY);
    image = fixture.request.image;
    fixture.request = *with;
    fixture.request.image = image;
    if (!with->append)
        fixture.request.append = "";
    image_fixture_refuse_parameter(&fixture, format, about, expected);
    image_fixture_deinit(&fixture);
}

static void parameter_that_the_format_has_no_use_for_is_refused_by_name(void **state)
{
    const struct image_module module = { .arguments = "" };
    const struct image_request mode = { .mode_given = true }, load = { .load_given = true },
                               entry = { .entry_given = true }, append = { .append = "x" },
                               initrd = { .has_initrd = true },
                               modules = { .modules = &module, .module_count = 1 };

    (void)state;
    assert_parameter(&mode, IMAGE_MULTIBOOT, "mode",
                     "'mode' does not go with format multiboot; it is for flat");
    assert_parameter(&load, IMAGE_ELF, "load",
                     "'load' does not go with format elf; it is for flat");
    assert_parameter(&entry, IMAGE_ROM, "entry",
                     "'entry' does not go with format rom; it is for flat");
    assert_parameter(&append, IMAGE_FLAT, "append",
                     "'append' does not go with format flat; it is for multiboot, linux");
    assert_parameter(&initrd, IMAGE_MULTIBOOT, "initrd",
                     "'initrd' does not go with format multiboot; it is for linux");
    assert_parameter(&modules, IMAGE_LINUX, "modules",
                     "'modules' does not go with format linux; it is for multiboot");
}

static void more_modules_than_there_may_be_are_refused(void **state)
{
    const struct image_request modules = { .module_count = 33 };

    (void)state;
    assert_parameter(&modules, IMAGE_MULTIBOOT, "modules",
                     "33 modules are more than the 32 there may be");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elf_file_is_recognised),
        cmocka_unit_test(multiboot_kernel_is_recognised),
        cmocka_unit_test(multiboot_kernel_with_a_wrong_checksum_is_not),
        cmocka_unit_test(elf_file_with_a_multiboot_header_is_multiboot),
        cmocka_unit_test(linux_kernel_is_recognised),
        cmocka_unit_test(rom_is_recognised_by_its_size_and_the_jump_at_its_reset_vector),
        cmocka_unit_test(what_may_be_several_formats_is_flat_and_they_are_named),
        cmocka_unit_test(what_is_nothing_else_is_flat),
        cmocka_unit_test(boot_sector_is_flat_and_where_it_goes_is_noted),
        cmocka_unit_test(boot_sector_that_has_its_place_is_not_told_where_it_goes),
        cmocka_unit_test(format_that_was_given_is_not_questioned),
        cmocka_unit_test(file_that_cannot_be_read_is_refused),
        cmocka_unit_test(kernel_for_another_architecture_is_refused_by_name),
        cmocka_unit_test(formats_have_the_words_of_the_wire),
        cmocka_unit_test(parameter_that_the_format_has_no_use_for_is_refused_by_name),
        cmocka_unit_test(more_modules_than_there_may_be_are_refused),
    };

    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}

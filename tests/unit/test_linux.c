#include "unit_test.h"

#include "image_fixture.h"
#include "kvm/x86/boot_registers.h"

enum {
    MIB = 1024 * 1024,
    SETUP_SECTS = 1,
    KERNEL_OFFSET = (SETUP_SECTS + 1) * 512,
    KERNEL_SIZE = 0x400,
    FILE_SIZE = KERNEL_OFFSET + KERNEL_SIZE,
};

/* Where the fields are, in the file and in the zero page: Documentation/arch/x86/boot.rst, "The
 * Real-Mode Kernel Header". */
enum {
    SETUP_SECTS_AT = 0x1f1,
    SYSSIZE_AT = 0x1f4,
    VID_MODE_AT = 0x1fa,
    BOOT_FLAG_AT = 0x1fe,
    JUMP_AT = 0x200,
    HEADER_AT = 0x202,
    VERSION_AT = 0x206,
    TYPE_OF_LOADER_AT = 0x210,
    LOADFLAGS_AT = 0x211,
    CODE32_START_AT = 0x214,
    RAMDISK_IMAGE_AT = 0x218,
    RAMDISK_SIZE_AT = 0x21c,
    CMD_LINE_PTR_AT = 0x228,
    INITRD_ADDR_MAX_AT = 0x22c,
    KERNEL_ALIGNMENT_AT = 0x230,
    RELOCATABLE_KERNEL_AT = 0x234,
    XLOADFLAGS_AT = 0x236,
    CMDLINE_SIZE_AT = 0x238,
    PREF_ADDRESS_AT = 0x258,
    INIT_SIZE_AT = 0x260,
    HANDOVER_OFFSET_AT = 0x264,
    HEADER_END = 0x26c,
};

enum { E820_ENTRIES_AT = 0x1e8, E820_TABLE_AT = 0x2d0 }; /* zero-page.rst */

struct bzimage {
    unsigned char bytes[FILE_SIZE];
};

static void set(struct bzimage *image, unsigned at, unsigned size, uint64_t value)
{
    memcpy(image->bytes + at, &value, size); /* little-endian, as all x86 is */
}

/* A 64-bit kernel of protocol 2.15 that prefers 2 MiB and can be moved. */
static struct bzimage sound(void)
{
    struct bzimage image;

    for (size_t i = 0; i < sizeof(image.bytes); i++)
        image.bytes[i] = i < KERNEL_OFFSET ? 0xcc : (unsigned char)i;
    memset(image.bytes + SETUP_SECTS_AT, 0, HEADER_END - SETUP_SECTS_AT);
    set(&image, SETUP_SECTS_AT, 1, SETUP_SECTS);
    set(&image, SYSSIZE_AT, 4, KERNEL_SIZE / 16);
    set(&image, BOOT_FLAG_AT, 2, 0xaa55);
    set(&image, JUMP_AT, 2, 0xeb | (HEADER_END - HEADER_AT) << 8);
    memcpy(image.bytes + HEADER_AT, "HdrS", 4);
    set(&image, VERSION_AT, 2, 0x020f);
    set(&image, LOADFLAGS_AT, 1, 1);
    set(&image, CODE32_START_AT, 4, 0x100000);
    set(&image, INITRD_ADDR_MAX_AT, 4, 0x7fffffff);
    set(&image, KERNEL_ALIGNMENT_AT, 4, 0x200000);
    set(&image, RELOCATABLE_KERNEL_AT, 1, 1);
    set(&image, XLOADFLAGS_AT, 2, 1);
    set(&image, CMDLINE_SIZE_AT, 4, 2047);
    set(&image, PREF_ADDRESS_AT, 8, 0x200000);
    set(&image, INIT_SIZE_AT, 4, 0x100000);
    return image;
}

static void init(struct image_fixture *fixture, const struct bzimage *image)
{
    image_fixture_init(fixture, image->bytes, sizeof(image->bytes), FIXTURE_MEMORY);
}

static void init_loaded(struct image_fixture *fixture)
{
    const struct bzimage image = sound();

    init(fixture, &image);
    image_fixture_accept(fixture, IMAGE_LINUX);
}

static void assert_refused(const struct bzimage *image, const char *expected)
{
    struct image_fixture fixture;

    init(&fixture, image);
    image_fixture_refuse(&fixture, IMAGE_LINUX, expected);
    image_fixture_deinit(&fixture);
}

/* The kernel is loaded at `load`, and entered in that mode, at that offset. */
static void assert_loaded(const struct bzimage *image, gpa_t load, enum boot_mode mode,
                          unsigned offset)
{
    struct image_fixture fixture;

    init(&fixture, image);
    image_fixture_accept(&fixture, IMAGE_LINUX);
    image_fixture_expect(&fixture, load, image->bytes + KERNEL_OFFSET, KERNEL_SIZE);
    assert_int_equal(fixture.boot.mode, mode);
    assert_int_equal(fixture.boot.entry, load + offset);
    assert_int_equal(
        image_fixture_u32(&fixture, fixture.boot.arguments[BOOT_RSI] + CODE32_START_AT), load);
    image_fixture_deinit(&fixture);
}

static uint32_t page_u32(const struct image_fixture *fixture, unsigned at)
{
    return image_fixture_u32(fixture, fixture->boot.arguments[BOOT_RSI] + at);
}

static unsigned page_u8(const struct image_fixture *fixture, unsigned at)
{
    return page_u32(fixture, at) & 0xff;
}

static void kernel_of_64_bits_is_entered_in_long_mode_0x200_bytes_in(void **state)
{
    const struct bzimage image = sound();

    (void)state;
    assert_loaded(&image, 0x200000, BOOT_LONG, 0x200);
}

static void kernel_of_32_bits_is_entered_in_protected_mode_at_its_start(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, XLOADFLAGS_AT, 2, 0xfffe);
    assert_loaded(&image, 0x200000, BOOT_PROTECTED, 0);
}

static void xloadflags_count_from_protocol_2_12_on(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, VERSION_AT, 2, 0x020b);
    assert_loaded(&image, 0x200000, BOOT_PROTECTED, 0);
}

static void kernel_that_cannot_be_moved_is_loaded_at_1_mib(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, RELOCATABLE_KERNEL_AT, 1, 0);
    assert_loaded(&image, 0x100000, BOOT_LONG, 0x200);
}

static void kernel_of_an_old_protocol_is_loaded_at_1_mib_or_the_next_alignment(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, VERSION_AT, 2, 0x0206);
    set(&image, KERNEL_ALIGNMENT_AT, 4, 0x100000);
    assert_loaded(&image, 0x100000, BOOT_PROTECTED, 0);
    set(&image, KERNEL_ALIGNMENT_AT, 4, 0x200000);
    assert_loaded(&image, 0x200000, BOOT_PROTECTED, 0);
}

static void kernel_without_a_preference_is_loaded_at_1_mib_or_the_next_alignment(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, PREF_ADDRESS_AT, 8, 0);
    assert_loaded(&image, 0x200000, BOOT_LONG, 0x200);
}

static void zero_page_has_the_header_and_zeros_around_it(void **state)
{
    static const unsigned char zeros[0x290 - HEADER_END];
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    assert_int_equal(fixture.boot.arguments[BOOT_RSI] % 4096, 0);
    image_fixture_expect(&fixture, fixture.boot.arguments[BOOT_RSI] + HEADER_AT, "HdrS\x0f\x02", 6);
    assert_int_equal(page_u32(&fixture, CMDLINE_SIZE_AT), 2047);
    image_fixture_expect(&fixture, fixture.boot.arguments[BOOT_RSI] + HEADER_END, zeros,
                         sizeof(zeros));
    assert_int_equal(page_u8(&fixture, 0x1ef), 0); /* sentinel */
    image_fixture_deinit(&fixture);
}

static void fields_behind_the_headers_end_are_zero(void **state)
{
    struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    set(&image, HANDOVER_OFFSET_AT, 4, 0xdddddddd);
    set(&image, JUMP_AT, 2, 0xeb | (HANDOVER_OFFSET_AT - HEADER_AT) << 8);
    init(&fixture, &image);
    image_fixture_accept(&fixture, IMAGE_LINUX);
    assert_int_equal(page_u32(&fixture, INIT_SIZE_AT), 0x100000);
    assert_int_equal(page_u32(&fixture, HANDOVER_OFFSET_AT), 0);
    image_fixture_deinit(&fixture);
}

static void header_tells_who_loaded_it(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    assert_int_equal(page_u8(&fixture, TYPE_OF_LOADER_AT), 0xff);
    assert_int_equal(page_u32(&fixture, VID_MODE_AT) & 0xffff, 0xffff);
    image_fixture_deinit(&fixture);
}

static void memory_map_is_in_the_zero_page(void **state)
{
    const struct {
        uint64_t start, size;
        uint32_t type;
    } expected[] = {
        { 0, 0x9fc00, 1 },
        { 0x9fc00, 0x60400, 2 },
        { 0x100000, 0x300000, 1 },
    };
    struct image_fixture fixture;
    gpa_t at;

    (void)state;
    init_loaded(&fixture);
    assert_int_equal(page_u8(&fixture, E820_ENTRIES_AT), 3);
    at = fixture.boot.arguments[BOOT_RSI] + E820_TABLE_AT;
    for (size_t i = 0; i < 3; i++, at += 20) {
        image_fixture_expect(&fixture, at, &expected[i].start, 8);
        image_fixture_expect(&fixture, at + 8, &expected[i].size, 8);
        assert_int_equal(image_fixture_u32(&fixture, at + 16), expected[i].type);
    }
    image_fixture_deinit(&fixture);
}

static void command_line_is_handed_over(void **state)
{
    const struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &image);
    fixture.request.append = "console=ttyS0";
    image_fixture_accept(&fixture, IMAGE_LINUX);
    image_fixture_expect(&fixture, page_u32(&fixture, CMD_LINE_PTR_AT), "console=ttyS0", 14);
    image_fixture_deinit(&fixture);
}

static void no_command_line_is_an_empty_one(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    assert_int_not_equal(page_u32(&fixture, CMD_LINE_PTR_AT), 0);
    image_fixture_expect(&fixture, page_u32(&fixture, CMD_LINE_PTR_AT), "", 1);
    image_fixture_deinit(&fixture);
}

static void command_line_may_be_as_long_as_the_kernel_says(void **state)
{
    struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    set(&image, CMDLINE_SIZE_AT, 4, 5);
    init(&fixture, &image);
    fixture.request.append = "quiet";
    image_fixture_accept(&fixture, IMAGE_LINUX);
    fixture.boot.entry = 0x5555;
    fixture.request.append = "quiet!";
    image_fixture_refuse_parameter(&fixture, IMAGE_LINUX, "append",
                                   "the command line has 6 bytes, and 'x' takes at most 5 "
                                   "(cmdline_size)");
    image_fixture_deinit(&fixture);
}

static void command_line_that_fits_the_kernel_but_not_low_memory_is_refused(void **state)
{
    static char text[MIB];
    struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    set(&image, CMDLINE_SIZE_AT, 4, UINT32_MAX);
    init(&fixture, &image);
    fixture.request.append = text;
    assert_int_equal(image_fixture_load(&fixture, IMAGE_LINUX), -ENOEXEC);
    assert_non_null(strstr(fixture.err.text, "has no room for the command line"));
    image_fixture_deinit(&fixture);
}

static void init_with_initrd(struct image_fixture *fixture, const struct bzimage *image, int fd,
                             uint64_t size)
{
    init(fixture, image);
    fixture->request.has_initrd = true;
    fixture->request.initrd = (struct image_file){ .fd = fd, .size = size, .name = "initrd" };
}

static void initrd_is_loaded_at_the_end_of_memory(void **state)
{
    const struct bzimage image = sound();
    int fd = memfd_of("cpio", 4);
    struct image_fixture fixture;

    (void)state;
    init_with_initrd(&fixture, &image, fd, 4);
    image_fixture_accept(&fixture, IMAGE_LINUX);
    assert_int_equal(page_u32(&fixture, RAMDISK_IMAGE_AT), FIXTURE_MEMORY - 4096);
    assert_int_equal(page_u32(&fixture, RAMDISK_SIZE_AT), 4);
    image_fixture_expect(&fixture, FIXTURE_MEMORY - 4096, "cpio\0", 5);
    image_fixture_deinit(&fixture);
    close(fd);
}

static void no_initrd_is_told_as_none(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    assert_int_equal(page_u32(&fixture, RAMDISK_IMAGE_AT), 0);
    assert_int_equal(page_u32(&fixture, RAMDISK_SIZE_AT), 0);
    image_fixture_deinit(&fixture);
}

static void initrd_ends_where_the_kernel_says_at_the_latest(void **state)
{
    struct bzimage image = sound();
    int fd = memfd_of("cpio", 4);
    struct image_fixture fixture;

    (void)state;
    set(&image, INITRD_ADDR_MAX_AT, 4, 0x37ffff);
    init_with_initrd(&fixture, &image, fd, 4);
    image_fixture_accept(&fixture, IMAGE_LINUX);
    assert_int_equal(page_u32(&fixture, RAMDISK_IMAGE_AT), 0x37f000);
    image_fixture_deinit(&fixture);
    close(fd);
}

static void initrd_keeps_out_of_what_the_kernel_takes_as_it_starts(void **state)
{
    struct bzimage image = sound();
    int fd = memfd_of("cpio", 4);
    struct image_fixture fixture;

    (void)state;
    set(&image, INITRD_ADDR_MAX_AT, 4, 0x2fffff); /* where init_size ends */
    init_with_initrd(&fixture, &image, fd, 4);
    image_fixture_accept(&fixture, IMAGE_LINUX);
    assert_int_equal(page_u32(&fixture, RAMDISK_IMAGE_AT), 0x1ff000);
    image_fixture_deinit(&fixture);
    close(fd);
}

static void initrd_that_does_not_fit_is_refused(void **state)
{
    const struct bzimage image = sound();
    int fd = memfd_of("cpio", 4);
    struct image_fixture fixture;

    (void)state;
    init_with_initrd(&fixture, &image, fd, MIB + 1);
    image_fixture_refuse(
        &fixture, IMAGE_LINUX,
        "'x': the guest's memory of 4194304 bytes has no room for its initrd, 1048577 "
        "bytes from 0x100000 to 0x7fffffff; give it more memory");
    fixture.request.initrd.size = UINT64_C(1) << 40;
    assert_int_equal(image_fixture_load(&fixture, IMAGE_LINUX), -ENOEXEC);
    image_fixture_deinit(&fixture);
    close(fd);
}

static void initrd_that_is_empty_is_refused(void **state)
{
    const struct bzimage image = sound();
    int fd = memfd_of("", 0);
    struct image_fixture fixture;

    (void)state;
    init_with_initrd(&fixture, &image, fd, 0);
    image_fixture_refuse_parameter(&fixture, IMAGE_LINUX, "initrd", "the initrd 'initrd' is empty");
    image_fixture_deinit(&fixture);
    close(fd);
}

static void file_without_the_magic_is_refused(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, BOOT_FLAG_AT, 2, 0x55aa);
    assert_refused(&image, "'x' is no bzImage: boot_flag is 0x55aa, not 0xaa55");
    image = sound();
    set(&image, HEADER_AT, 4, 0x12345678);
    assert_refused(&image, "'x' is no bzImage: header is 0x12345678, not 0x53726448 (HdrS)");
}

static void protocol_before_2_06_is_refused(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, VERSION_AT, 2, 0x0205);
    assert_refused(&image, "'x' has boot protocol version 2.05; 2.06 (Linux 2.6.22) or later is "
                           "needed");
}

static void zimage_is_refused(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, LOADFLAGS_AT, 1, 0x80);
    assert_refused(&image, "'x' is a zImage: loadflags 0x80 lack LOADED_HIGH; a bzImage is needed");
}

static void header_too_short_for_its_version_is_refused(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, JUMP_AT, 2, 0xeb | (CMDLINE_SIZE_AT + 3 - HEADER_AT) << 8);
    assert_refused(&image,
                   "'x': its header ends at offset 0x23b (jump, at 0x200), before the fields "
                   "that version 0x020f has");
}

static void file_that_is_cut_off_in_its_header_is_refused(void **state)
{
    const struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    image_fixture_init(&fixture, image.bytes, 0x210, FIXTURE_MEMORY);
    image_fixture_refuse(&fixture, IMAGE_LINUX,
                         "'x' is truncated: it has 528 bytes, not the 769 at offset 0");
    image_fixture_deinit(&fixture);
}

static void file_that_is_cut_off_before_its_kernel_is_refused(void **state)
{
    struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    image_fixture_init(&fixture, image.bytes, KERNEL_OFFSET, FIXTURE_MEMORY);
    image_fixture_refuse(&fixture, IMAGE_LINUX,
                         "'x' is truncated: after setup_sects, 1 sectors, its 1024 bytes have no "
                         "kernel");
    image_fixture_deinit(&fixture);
    set(&image, SETUP_SECTS_AT, 1, 255);
    assert_refused(&image,
                   "'x' is truncated: after setup_sects, 255 sectors, its 2048 bytes have no "
                   "kernel");
    set(&image, SETUP_SECTS_AT, 1, 0); /* which means 4 */
    assert_refused(&image,
                   "'x' is truncated: after setup_sects, 4 sectors, its 2048 bytes have no kernel");
}

static void file_that_is_cut_off_in_its_kernel_is_refused(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, SYSSIZE_AT, 4, KERNEL_SIZE / 16 + 1);
    assert_refused(&image, "'x' is truncated: syssize says 1040 bytes of kernel, and it has 1024");
    set(&image, SYSSIZE_AT, 4, UINT32_MAX);
    assert_refused(&image,
                   "'x' is truncated: syssize says 68719476720 bytes of kernel, and it has 1024");
}

static void file_may_have_more_than_its_kernel(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, SYSSIZE_AT, 4, 1); /* a signature behind it, for instance */
    assert_loaded(&image, 0x200000, BOOT_LONG, 0x200);
}

static void absurd_alignment_is_refused(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, KERNEL_ALIGNMENT_AT, 4, 0);
    assert_refused(&image, "'x': kernel_alignment 0x0 is no power of two up to 0x40000000");
    set(&image, KERNEL_ALIGNMENT_AT, 4, 0x300000);
    assert_refused(&image, "'x': kernel_alignment 0x300000 is no power of two up to 0x40000000");
    set(&image, KERNEL_ALIGNMENT_AT, 4, 0x80000000);
    assert_refused(&image, "'x': kernel_alignment 0x80000000 is no power of two up to 0x40000000");
}

static void kernel_outside_of_memory_is_refused_with_how_much_it_needs(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, INIT_SIZE_AT, 4, 16 * MIB);
    assert_refused(&image, "'x': the kernel, 16777216 bytes at 0x200000, does not fit the guest's "
                           "memory of 4194304 bytes; it needs 18874368 or more");
    set(&image, INIT_SIZE_AT, 4, UINT32_MAX);
    assert_refused(&image,
                   "'x': the kernel, 4294967295 bytes at 0x200000, does not fit the guest's "
                   "memory of 4194304 bytes");
}

static void absurd_preference_is_refused(void **state)
{
    struct bzimage image = sound();

    (void)state;
    set(&image, PREF_ADDRESS_AT, 8, UINT64_MAX);
    assert_refused(&image,
                   "'x': pref_address 0xffffffffffffffff is above 3 GiB, where no RAM is that "
                   "it could be entered in");
    set(&image, PREF_ADDRESS_AT, 8, GUEST_HOLE_START);
    assert_refused(&image,
                   "'x': pref_address 0xc0000000 is above 3 GiB, where no RAM is that it could "
                   "be entered in");
}

static void kernel_that_is_to_be_over_its_parameters_is_refused(void **state)
{
    struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    set(&image, PREF_ADDRESS_AT, 8, 0x1000);
    set(&image, KERNEL_ALIGNMENT_AT, 4, 0x1000);
    init(&fixture, &image);
    assert_int_equal(image_fixture_load(&fixture, IMAGE_LINUX), -ENOEXEC);
    assert_non_null(strstr(fixture.err.text, "has no room for the command line"));
    image_fixture_deinit(&fixture);
}

static void what_an_immovable_kernel_moves_itself_to_is_taken_too(void **state)
{
    struct bzimage image = sound();
    int fd = memfd_of("cpio", 4);
    struct image_fixture fixture;

    (void)state;
    set(&image, RELOCATABLE_KERNEL_AT, 1, 0);
    set(&image, INIT_SIZE_AT, 4, 0x200000); /* from 2 MiB up to the end of memory */
    init_with_initrd(&fixture, &image, fd, 4);
    image_fixture_refuse(
        &fixture, IMAGE_LINUX,
        "'x': the guest's memory of 4194304 bytes has no room for its initrd, 4 bytes "
        "from 0x100000 to 0x7fffffff; give it more memory");
    image_fixture_deinit(&fixture);
    close(fd);
}

static void kernel_too_short_for_its_64_bit_entry_is_refused(void **state)
{
    struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    set(&image, SYSSIZE_AT, 4, 0x200 / 16);
    image_fixture_init(&fixture, image.bytes, KERNEL_OFFSET + 0x200, FIXTURE_MEMORY);
    image_fixture_refuse(
        &fixture, IMAGE_LINUX,
        "'x': xloadflags 0x0001 say that it has a 64-bit entry, at offset 0x200 of "
        "the 512 bytes of its kernel");
    image_fixture_deinit(&fixture);
}

static void memory_below_1_mib_is_too_small(void **state)
{
    const struct bzimage image = sound();
    struct image_fixture fixture;

    (void)state;
    image_fixture_init(&fixture, image.bytes, sizeof(image.bytes), 0x10000);
    image_fixture_refuse(
        &fixture, IMAGE_LINUX,
        "'x': the kernel, 1048576 bytes at 0x200000, does not fit the guest's memory "
        "of 65536 bytes; it needs 3145728 or more");
    image_fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_of_64_bits_is_entered_in_long_mode_0x200_bytes_in),
        cmocka_unit_test(kernel_of_32_bits_is_entered_in_protected_mode_at_its_start),
        cmocka_unit_test(xloadflags_count_from_protocol_2_12_on),
        cmocka_unit_test(kernel_that_cannot_be_moved_is_loaded_at_1_mib),
        cmocka_unit_test(kernel_of_an_old_protocol_is_loaded_at_1_mib_or_the_next_alignment),
        cmocka_unit_test(kernel_without_a_preference_is_loaded_at_1_mib_or_the_next_alignment),
        cmocka_unit_test(zero_page_has_the_header_and_zeros_around_it),
        cmocka_unit_test(fields_behind_the_headers_end_are_zero),
        cmocka_unit_test(header_tells_who_loaded_it),
        cmocka_unit_test(memory_map_is_in_the_zero_page),
        cmocka_unit_test(command_line_is_handed_over),
        cmocka_unit_test(no_command_line_is_an_empty_one),
        cmocka_unit_test(command_line_may_be_as_long_as_the_kernel_says),
        cmocka_unit_test(command_line_that_fits_the_kernel_but_not_low_memory_is_refused),
        cmocka_unit_test(initrd_is_loaded_at_the_end_of_memory),
        cmocka_unit_test(no_initrd_is_told_as_none),
        cmocka_unit_test(initrd_ends_where_the_kernel_says_at_the_latest),
        cmocka_unit_test(initrd_keeps_out_of_what_the_kernel_takes_as_it_starts),
        cmocka_unit_test(initrd_that_does_not_fit_is_refused),
        cmocka_unit_test(initrd_that_is_empty_is_refused),
        cmocka_unit_test(file_without_the_magic_is_refused),
        cmocka_unit_test(protocol_before_2_06_is_refused),
        cmocka_unit_test(zimage_is_refused),
        cmocka_unit_test(header_too_short_for_its_version_is_refused),
        cmocka_unit_test(file_that_is_cut_off_in_its_header_is_refused),
        cmocka_unit_test(file_that_is_cut_off_before_its_kernel_is_refused),
        cmocka_unit_test(file_that_is_cut_off_in_its_kernel_is_refused),
        cmocka_unit_test(file_may_have_more_than_its_kernel),
        cmocka_unit_test(absurd_alignment_is_refused),
        cmocka_unit_test(kernel_outside_of_memory_is_refused_with_how_much_it_needs),
        cmocka_unit_test(absurd_preference_is_refused),
        cmocka_unit_test(kernel_that_is_to_be_over_its_parameters_is_refused),
        cmocka_unit_test(what_an_immovable_kernel_moves_itself_to_is_taken_too),
        cmocka_unit_test(kernel_too_short_for_its_64_bit_entry_is_refused),
        cmocka_unit_test(memory_below_1_mib_is_too_small),
    };

    return cmocka_run_group_tests_name("linux", tests, NULL, NULL);
}

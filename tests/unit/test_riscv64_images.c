/* The formats as riscv64 has them. What ELF and flat images have in common everywhere is tested for
 * x86. */
#include "unit_test.h"

#include <elf.h>

#include "image_fixture.h"

#define BASE UINT64_C(0x80000000)
#define MIB  UINT64_C(0x100000)

/* The last 64 KiB are the device tree's. */
#define TREE 0x10000

static void init(struct image_fixture *fixture, const void *data, size_t size, uint64_t memory)
{
    image_fixture_init(fixture, data, size, memory);
    guest_memory_deinit(&fixture->memory);
    assert_int_equal(guest_memory_init(&fixture->memory, BASE, memory, &fixture->err), 0);
}

static void kernel_of_x86_is_refused_by_name(void **state)
{
    static const unsigned char bytes[0x206] = {
        [0x202] = 'H',
        [0x203] = 'd',
        [0x204] = 'r',
        [0x205] = 'S',
    };
    struct image_fixture fixture;
    struct image_kind kind;

    (void)state;
    init(&fixture, bytes, sizeof(bytes), MIB);
    assert_int_equal(image_recognise(&fixture.request, &kind, &fixture.err), -ENOEXEC);
    assert_string_equal(fixture.err.text,
                        "'x' is a Linux kernel for x86-64; this host runs riscv64 guests");
    image_fixture_deinit(&fixture);
}

/* Flat. */

static void flat_image_goes_to_the_beginning_of_memory(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, "flat", 4, MIB);
    image_fixture_accept(&fixture, IMAGE_FLAT);
    assert_int_equal(fixture.boot.mode, BOOT_SUPERVISOR);
    assert_int_equal(fixture.boot.entry, BASE);
    assert_int_equal(fixture.boot.stack, BASE + MIB - TREE);
    assert_int_equal(fixture.boot.image_end, BASE + 4);
    image_fixture_expect(&fixture, BASE, "flat", 4);
    image_fixture_deinit(&fixture);
}

static void flat_image_that_leaves_a_device_tree_no_room_has_its_stack_at_the_end(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, "flat", 4, TREE);
    image_fixture_accept(&fixture, IMAGE_FLAT);
    assert_int_equal(fixture.boot.stack, BASE + TREE);
    image_fixture_deinit(&fixture);
}

static void flat_image_goes_where_it_is_told_to(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, "flat", 4, MIB);
    fixture.request.load_given = true;
    fixture.request.load = BASE + 0x1000;
    image_fixture_accept(&fixture, IMAGE_FLAT);
    assert_int_equal(fixture.boot.entry, BASE + 0x1000);
    image_fixture_deinit(&fixture);
}

static void modes_of_other_architectures_are_refused(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, "flat", 4, MIB);
    fixture.request.mode_given = true;
    fixture.request.mode = BOOT_REAL;
    image_fixture_refuse_parameter(&fixture, IMAGE_FLAT, "mode",
                                   "a flat image cannot be entered in mode 'real' here; accepted: "
                                   "supervisor");
    image_fixture_deinit(&fixture);
}

static void formats_of_other_architectures_are_refused(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init(&fixture, "flat", 4, MIB);
    image_fixture_refuse_parameter(&fixture, IMAGE_MULTIBOOT, "format",
                                   "there is no format 'multiboot' for riscv64 guests");
    image_fixture_deinit(&fixture);
}

/* ELF. */

struct elf_image {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    char code[8];
};

static struct elf_image elf_image(uint16_t machine)
{
    return (struct elf_image){
        .header = {
            .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
            .e_type = ET_EXEC,
            .e_machine = machine,
            .e_entry = BASE + 0x1000,
            .e_phoff = offsetof(struct elf_image, segment),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = 1,
        },
        .segment = {
            .p_type = PT_LOAD,
            .p_offset = offsetof(struct elf_image, code),
            .p_vaddr = BASE + 0x1000,
            .p_paddr = BASE + 0x1000,
            .p_filesz = 8,
            .p_memsz = 8,
        },
        .code = "segment",
    };
}

static void elf_image_is_entered_in_supervisor_mode(void **state)
{
    struct elf_image image = elf_image(EM_RISCV);
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &image, sizeof(image), MIB);
    image_fixture_accept(&fixture, IMAGE_ELF);
    assert_int_equal(fixture.boot.mode, BOOT_SUPERVISOR);
    assert_int_equal(fixture.boot.entry, BASE + 0x1000);
    assert_int_equal(fixture.boot.stack, BASE + MIB - TREE);
    assert_int_equal(fixture.boot.image_end, BASE + 0x1008);
    image_fixture_expect(&fixture, BASE + 0x1000, "segment", 8);
    image_fixture_deinit(&fixture);
}

static void elf_image_of_x86_is_refused_by_name(void **state)
{
    struct elf_image image = elf_image(EM_X86_64);
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &image, sizeof(image), MIB);
    image_fixture_refuse(&fixture, IMAGE_ELF,
                         "'x' is an x86-64 image; this host runs riscv64 guests");
    image_fixture_deinit(&fixture);
}

/* Linux: Documentation/arch/riscv/boot-image-header.rst. */

struct linux_image {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size;
    uint64_t flags;
    uint32_t version;
    uint32_t reserved[3];
    char magic[8];
    char magic2[4];
    uint32_t reserved2;
    char rest[64];
};

static struct linux_image linux_image(void)
{
    return (struct linux_image){
        .text_offset = 0x200000,
        .image_size = 0x300000,
        .version = 2,
        .magic = "RISCV",
        .magic2 = { 'R', 'S', 'C', 5 },
        .rest = "kernel",
    };
}

static void linux_image_goes_to_its_offset(void **state)
{
    struct linux_image image = linux_image();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &image, sizeof(image), 16 * MIB);
    image_fixture_accept(&fixture, IMAGE_LINUX);
    assert_int_equal(fixture.boot.mode, BOOT_SUPERVISOR);
    assert_int_equal(fixture.boot.entry, BASE + 0x200000);
    assert_int_equal(fixture.boot.initrd_size, 0);
    assert_int_equal(fixture.boot.image_end, BASE + 0x500000); /* image_size counts */
    image_fixture_expect(&fixture, BASE + 0x200000, &image, sizeof(image));
    image_fixture_deinit(&fixture);
}

static void linux_image_is_recognised(void **state)
{
    struct linux_image image = linux_image();
    struct image_fixture fixture;
    struct image_kind kind;

    (void)state;
    init(&fixture, &image, sizeof(image), 16 * MIB);
    assert_int_equal(image_recognise(&fixture.request, &kind, &fixture.err), 0);
    assert_int_equal(kind.format, IMAGE_LINUX);
    assert_true(kind.kernel);
    image_fixture_deinit(&fixture);
}

static void initrd_is_put_below_the_device_tree(void **state)
{
    struct linux_image image = linux_image();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &image, sizeof(image), 16 * MIB);
    fixture.request.has_initrd = true;
    fixture.request.initrd =
        (struct image_file){ .fd = memfd_of("initrd", 6), .size = 6, .name = "i" };
    image_fixture_accept(&fixture, IMAGE_LINUX);
    assert_int_equal(fixture.boot.initrd, BASE + 16 * MIB - TREE - 0x1000);
    assert_int_equal(fixture.boot.initrd_size, 6);
    image_fixture_expect(&fixture, fixture.boot.initrd, "initrd", 6);
    close(fixture.request.initrd.fd);
    image_fixture_deinit(&fixture);
}

static void assert_linux_refused(const struct linux_image *image, uint64_t memory,
                                 const char *expected)
{
    struct image_fixture fixture;

    init(&fixture, image, sizeof(*image), memory);
    image_fixture_refuse(&fixture, IMAGE_LINUX, expected);
    image_fixture_deinit(&fixture);
}

static void linux_image_whose_header_is_wrong_is_refused(void **state)
{
    struct linux_image image = linux_image();

    (void)state;
    image.magic2[3] = 4;
    assert_linux_refused(&image, 16 * MIB,
                         "'x' is no riscv64 Image: magic2 is 0x04435352, not 0x05435352 (RSC)");
    image = linux_image();
    image.flags = 1;
    assert_linux_refused(&image, 16 * MIB, "'x': flags 0x1 say that it is big-endian");
    image = linux_image();
    image.image_size = 64;
    assert_linux_refused(&image, 16 * MIB,
                         "'x': image_size 0x40 is less than the file's 128 bytes");
    image = linux_image();
    image.text_offset = UINT64_MAX;
    assert_linux_refused(&image, 16 * MIB,
                         "'x': text_offset 0xffffffffffffffff lies outside of the guest's memory "
                         "of 16777216 bytes");
}

static void linux_image_that_does_not_fit_is_refused(void **state)
{
    struct linux_image image = linux_image();

    (void)state;
    assert_linux_refused(&image, 4 * MIB,
                         "'x': the kernel, 3145728 bytes at 0x80200000, does not fit the guest's "
                         "memory of 4194304 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_of_x86_is_refused_by_name),
        cmocka_unit_test(flat_image_goes_to_the_beginning_of_memory),
        cmocka_unit_test(flat_image_that_leaves_a_device_tree_no_room_has_its_stack_at_the_end),
        cmocka_unit_test(flat_image_goes_where_it_is_told_to),
        cmocka_unit_test(modes_of_other_architectures_are_refused),
        cmocka_unit_test(formats_of_other_architectures_are_refused),
        cmocka_unit_test(elf_image_is_entered_in_supervisor_mode),
        cmocka_unit_test(elf_image_of_x86_is_refused_by_name),
        cmocka_unit_test(linux_image_goes_to_its_offset),
        cmocka_unit_test(linux_image_is_recognised),
        cmocka_unit_test(initrd_is_put_below_the_device_tree),
        cmocka_unit_test(linux_image_whose_header_is_wrong_is_refused),
        cmocka_unit_test(linux_image_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests_name("riscv64_images", tests, NULL, NULL);
}

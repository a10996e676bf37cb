#include "unit_test.h"

#include <elf.h>

#include "image_fixture.h"
#include "kvm/x86/boot_registers.h"

enum {
    MIB = 1024 * 1024,
    LOAD = 0x100000,
    HEADER_OFFSET = 0x10, /* in the file, and from LOAD */
    FILE_SIZE = 0x100,
};

#define MAGIC     UINT32_C(0x1badb002)
#define ADDRESSES UINT32_C(0x10000)

/* Multiboot Specification, section 3.1.1. */
struct header {
    uint32_t magic, flags, checksum;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

/* A kernel that has its addresses in its header: the whole file at 1 MiB, entered at its 64th byte.
 */
static struct header sound(void)
{
    return (struct header){
        .magic = MAGIC,
        .flags = ADDRESSES,
        .checksum = -(MAGIC + ADDRESSES),
        .header_addr = LOAD + HEADER_OFFSET,
        .load_addr = LOAD,
        .entry_addr = LOAD + 0x40,
    };
}

static void set_flags(struct header *header, uint32_t flags)
{
    header->flags = flags;
    header->checksum = -(header->magic + flags);
}

static void init(struct image_fixture *fixture, const struct header *header)
{
    unsigned char bytes[FILE_SIZE];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    memcpy(bytes + HEADER_OFFSET, header, sizeof(*header));
    image_fixture_init(fixture, bytes, sizeof(bytes), FIXTURE_MEMORY);
}

static void assert_refused(const struct header *header, const char *expected)
{
    struct image_fixture fixture;

    init(&fixture, header);
    image_fixture_refuse(&fixture, IMAGE_MULTIBOOT, expected);
    image_fixture_deinit(&fixture);
}

static void init_loaded(struct image_fixture *fixture)
{
    const struct header header = sound();

    init(fixture, &header);
    image_fixture_accept(fixture, IMAGE_MULTIBOOT);
}

/* A field of the information that EBX points to: section 3.3. */
static uint32_t info(const struct image_fixture *fixture, unsigned offset)
{
    return image_fixture_u32(fixture, fixture->boot.arguments[BOOT_RBX] + offset);
}

static void assert_string(const struct image_fixture *fixture, gpa_t address, const char *expected)
{
    image_fixture_expect(fixture, address, expected, strlen(expected) + 1);
}

static void machine_state_is_the_specifications(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    assert_int_equal(fixture.boot.mode, BOOT_PROTECTED);
    assert_int_equal(fixture.boot.entry, LOAD + 0x40);
    assert_int_equal(fixture.boot.arguments[BOOT_RAX], 0x2badb002);
    assert_int_equal(fixture.boot.arguments[BOOT_RBX], 0x9000);
    assert_int_equal(fixture.boot.stack, FIXTURE_MEMORY);
    image_fixture_deinit(&fixture);
}

static void whole_file_is_loaded_where_the_header_says(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    image_fixture_expect(&fixture, LOAD, "\0\1\2\3", 4);
    image_fixture_expect(&fixture, LOAD + FILE_SIZE - 2, "\xfe\xff\0", 3);
    image_fixture_deinit(&fixture);
}

static void part_of_the_file_is_loaded_where_the_header_says(void **state)
{
    struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    header.load_addr = LOAD + 4;
    header.load_end_addr = LOAD + 0x80;
    header.bss_end_addr = LOAD + 0x1000;
    init(&fixture, &header);
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    image_fixture_expect(&fixture, LOAD, "\0\0\0\0\4\5", 6);
    image_fixture_expect(&fixture, LOAD + 0x7e, "\x7e\x7f\0\0", 4);
    image_fixture_deinit(&fixture);
}

static void memory_is_told_in_kib_below_and_above_1_mib(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    assert_int_equal(info(&fixture, 0) & 1, 1);
    assert_int_equal(info(&fixture, 4), 639);
    assert_int_equal(info(&fixture, 8), 3 * 1024);
    image_fixture_deinit(&fixture);
}

static void memory_map_has_the_bios_area_reserved(void **state)
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
    assert_int_equal(info(&fixture, 0) >> 6 & 1, 1);
    assert_int_equal(info(&fixture, 44), 3 * 24);
    at = info(&fixture, 48);
    for (size_t i = 0; i < 3; i++, at += 24) {
        assert_int_equal(image_fixture_u32(&fixture, at), 20);
        image_fixture_expect(&fixture, at + 4, &expected[i].start, 8);
        image_fixture_expect(&fixture, at + 12, &expected[i].size, 8);
        assert_int_equal(image_fixture_u32(&fixture, at + 20), expected[i].type);
    }
    image_fixture_deinit(&fixture);
}

static void command_line_and_the_loaders_name_are_told(void **state)
{
    const struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &header);
    fixture.request.append = "console=com1 quiet";
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    assert_int_equal(info(&fixture, 0) >> 2 & 1, 1);
    assert_string(&fixture, info(&fixture, 16), "console=com1 quiet");
    assert_int_equal(info(&fixture, 0) >> 9 & 1, 1);
    assert_string(&fixture, info(&fixture, 64), "vmmd " VMMD_VERSION);
    image_fixture_deinit(&fixture);
}

static void no_command_line_is_an_empty_one(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    assert_int_equal(info(&fixture, 0) >> 2 & 1, 1);
    assert_string(&fixture, info(&fixture, 16), "");
    image_fixture_deinit(&fixture);
}

static void what_there_is_not_is_not_told(void **state)
{
    struct image_fixture fixture;

    (void)state;
    init_loaded(&fixture);
    assert_int_equal(info(&fixture, 0), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    assert_int_equal(info(&fixture, 20), 0); /* mods_count */
    image_fixture_deinit(&fixture);
}

static void modules_lie_behind_the_kernel_in_order_and_page_aligned(void **state)
{
    const struct header header = sound();
    const struct image_module modules[] = {
        { { memfd_of("first", 5), 5, "one" }, "arguments" },
        { { memfd_of("", 0), 0, "empty" }, "" },
        { { memfd_of("third", 5), 5, "three" }, "" },
    };
    static const char *const strings[] = { "arguments", "empty", "three" };
    struct image_fixture fixture;
    gpa_t at;

    (void)state;
    init(&fixture, &header);
    fixture.request.modules = modules;
    fixture.request.module_count = 3;
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    assert_int_equal(info(&fixture, 0) >> 3 & 1, 1);
    assert_int_equal(info(&fixture, 20), 3);
    at = info(&fixture, 24);
    for (size_t i = 0; i < 3; i++, at += 16) {
        uint32_t start = image_fixture_u32(&fixture, at);

        assert_int_equal(start, LOAD + 0x1000 * (i + 1));
        assert_int_equal(image_fixture_u32(&fixture, at + 4), start + modules[i].file.size);
        assert_string(&fixture, image_fixture_u32(&fixture, at + 8), strings[i]);
        assert_int_equal(image_fixture_u32(&fixture, at + 12), 0);
        close(modules[i].file.fd);
    }
    assert_string(&fixture, LOAD + 0x1000, "first");
    assert_string(&fixture, LOAD + 0x3000, "third");
    image_fixture_deinit(&fixture);
}

static void modules_lie_behind_the_kernels_bss(void **state)
{
    const struct image_module module = { { memfd_of("m", 1), 1, "m" }, "" };
    struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    header.bss_end_addr = LOAD + 0x10001;
    init(&fixture, &header);
    fixture.request.modules = &module;
    fixture.request.module_count = 1;
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    assert_int_equal(image_fixture_u32(&fixture, info(&fixture, 24)), LOAD + 0x11000);
    image_fixture_deinit(&fixture);
    close(module.file.fd);
}

static void module_that_does_not_fit_is_refused(void **state)
{
    const struct image_module module = { { memfd_of("m", 1), 3 * MIB, "initrd" }, "" };
    const struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &header);
    fixture.request.modules = &module;
    fixture.request.module_count = 1;
    image_fixture_refuse(
        &fixture, IMAGE_MULTIBOOT,
        "module 'initrd': 'x': the guest's memory of 4194304 bytes has no room for a "
        "module, 3145728 bytes from 0x100100 to 0xbfffffff; give it more memory");
    image_fixture_deinit(&fixture);
    close(module.file.fd);
}

static void module_that_became_shorter_is_refused(void **state)
{
    const struct image_module module = { { memfd_of("m", 1), 2, "m" }, "" };
    const struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &header);
    fixture.request.modules = &module;
    fixture.request.module_count = 1;
    image_fixture_refuse(&fixture, IMAGE_MULTIBOOT,
                         "module 'm': cannot read 'm': it became shorter meanwhile");
    image_fixture_deinit(&fixture);
    close(module.file.fd);
}

static void information_keeps_out_of_a_kernels_way_in_low_memory(void **state)
{
    struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    header.load_addr = 0x8000;
    header.header_addr = 0x8000 + HEADER_OFFSET;
    header.entry_addr = 0x8040;
    header.bss_end_addr = 0x20008;
    init(&fixture, &header);
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    assert_int_equal(fixture.boot.arguments[BOOT_RBX], 0x20010);
    image_fixture_deinit(&fixture);
}

static void information_goes_above_1_mib_where_low_memory_is_taken(void **state)
{
    struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    header.load_addr = 0x1000;
    header.header_addr = 0x1000 + HEADER_OFFSET;
    header.entry_addr = 0x1040;
    header.bss_end_addr = 0x100008;
    init(&fixture, &header);
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    assert_int_equal(fixture.boot.arguments[BOOT_RBX], 0x100010);
    image_fixture_deinit(&fixture);
}

static void command_line_longer_than_memory_is_refused(void **state)
{
    static char text[4 * MIB];
    const struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    init(&fixture, &header);
    fixture.request.append = text;
    assert_int_equal(image_fixture_load(&fixture, IMAGE_MULTIBOOT), -ENOEXEC);
    assert_non_null(strstr(fixture.err.text, "has no room for information"));
    image_fixture_deinit(&fixture);
}

static void memory_of_64_kib_is_enough_for_a_small_kernel(void **state)
{
    struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    header.load_addr = 0x1000;
    header.header_addr = 0x1000 + HEADER_OFFSET;
    header.entry_addr = 0x1040;
    init(&fixture, &header);
    guest_memory_deinit(&fixture.memory);
    assert_int_equal(guest_memory_init(&fixture.memory, 0, 0x10000, &fixture.err), 0);
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    assert_int_equal(info(&fixture, 4), 64);
    assert_int_equal(info(&fixture, 8), 0);
    image_fixture_deinit(&fixture);
}

static void file_without_a_header_is_refused(void **state)
{
    struct header header = sound();

    (void)state;
    header.magic = 0;
    assert_refused(&header,
                   "'x' has no Multiboot header: no 0x1badb002, aligned to 4 bytes, in its "
                   "first 8192");
}

static void header_of_multiboot_2_is_refused_by_name(void **state)
{
    struct header header = sound();

    (void)state;
    header.magic = 0xe85250d6;
    assert_refused(&header, "'x' is for Multiboot 2; vmmd speaks Multiboot 1");
}

static void wrong_checksum_is_refused_with_the_right_one(void **state)
{
    struct header header = sound();

    (void)state;
    header.checksum++;
    assert_refused(&header,
                   "'x': the Multiboot header at offset 0x10 has checksum 0xe4514fff; with "
                   "flags 0x00010000 it should be 0xe4514ffe");
}

static void magic_with_a_wrong_checksum_does_not_hide_the_header_behind_it(void **state)
{
    unsigned char bytes[FILE_SIZE] = { 0x02, 0xb0, 0xad, 0x1b, 1, 2, 3, 4, 5, 6, 7, 8 };
    const struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    memcpy(bytes + HEADER_OFFSET, &header, sizeof(header));
    image_fixture_init(&fixture, bytes, sizeof(bytes), FIXTURE_MEMORY);
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    image_fixture_deinit(&fixture);
}

/* A sound header that is at that offset of a file of size bytes. */
static int load_at_offset(size_t offset, size_t size)
{
    static unsigned char bytes[16384];
    struct header header = sound();
    struct image_fixture fixture;
    int r;

    memset(bytes, 0, sizeof(bytes));
    header.load_addr = header.header_addr;
    header.entry_addr = header.header_addr;
    memcpy(bytes + offset, &header, sizeof(header));
    image_fixture_init(&fixture, bytes, size, FIXTURE_MEMORY);
    r = image_fixture_load(&fixture, IMAGE_MULTIBOOT);
    image_fixture_deinit(&fixture);
    return r;
}

static void header_must_be_aligned_and_wholly_in_the_first_8192_bytes(void **state)
{
    (void)state;
    assert_int_equal(load_at_offset(0, 16384), 0);
    assert_int_equal(load_at_offset(4, 16384), 0);
    assert_int_equal(load_at_offset(2, 16384), -ENOEXEC);
    assert_int_equal(load_at_offset(8192 - 32, 16384), 0);
    assert_int_equal(load_at_offset(8192 - 28, 16384), -ENOEXEC);
    assert_int_equal(load_at_offset(8192 - 8, 16384), -ENOEXEC);
    assert_int_equal(load_at_offset(8192, 16384), -ENOEXEC);
}

static void header_that_the_file_ends_in_is_refused(void **state)
{
    const struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    image_fixture_init(&fixture, &header, sizeof(header) - 1, FIXTURE_MEMORY);
    image_fixture_refuse(
        &fixture, IMAGE_MULTIBOOT,
        "'x': flags bit 16 says that addresses follow the Multiboot header at offset "
        "0x0, which ends the file, or its first 8192 bytes");
    image_fixture_deinit(&fixture);
}

static void video_mode_is_refused(void **state)
{
    struct header header = sound();

    (void)state;
    set_flags(&header, ADDRESSES | 7);
    assert_refused(&header, "'x': flags 0x00010007 ask for a video mode (bit 2), and there is no "
                            "display");
}

static void unknown_requirements_are_refused(void **state)
{
    struct header header = sound();

    (void)state;
    set_flags(&header, ADDRESSES | 0x8008);
    assert_refused(&header, "'x': flags 0x00018008 ask for what vmmd does not know: bits 0x8008");
}

static void unknown_optional_features_are_ignored(void **state)
{
    struct header header = sound();
    struct image_fixture fixture;

    (void)state;
    set_flags(&header, 0xffff0003);
    init(&fixture, &header);
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    image_fixture_deinit(&fixture);
}

static void load_addr_above_header_addr_is_refused(void **state)
{
    struct header header = sound();

    (void)state;
    header.load_addr = LOAD + 0x11;
    assert_refused(&header, "'x': load_addr 0x100011 lies above header_addr 0x100010");
}

static void load_addr_before_the_file_begins_is_refused(void **state)
{
    struct header header = sound();

    (void)state;
    header.load_addr = LOAD - 1;
    assert_refused(&header,
                   "'x': load_addr 0xfffff lies 0x11 bytes below header_addr, and the file "
                   "has 0x10 before its Multiboot header");
    header.load_addr = 0;
    header.header_addr = UINT32_MAX;
    assert_refused(&header,
                   "'x': load_addr 0x0 lies 0xffffffff bytes below header_addr, and the file "
                   "has 0x10 before its Multiboot header");
}

static void load_end_addr_outside_of_the_file_is_refused(void **state)
{
    struct header header = sound();

    (void)state;
    header.load_end_addr = LOAD + FILE_SIZE + 1;
    assert_refused(&header,
                   "'x' is truncated: load_end_addr 0x100101 takes 257 bytes from offset 0x0, "
                   "and it has 256");
    header.load_end_addr = LOAD;
    assert_refused(&header, "'x': load_end_addr 0x100000 is not above load_addr 0x100000");
}

static void bss_end_addr_within_what_is_loaded_is_refused(void **state)
{
    struct header header = sound();

    (void)state;
    header.bss_end_addr = LOAD + FILE_SIZE - 1;
    assert_refused(&header, "'x': bss_end_addr 0x1000ff lies below the end of what is loaded, "
                            "0x100100");
}

static void entry_addr_outside_of_what_is_loaded_is_refused(void **state)
{
    struct header header = sound();

    (void)state;
    header.entry_addr = LOAD + FILE_SIZE;
    assert_refused(&header,
                   "'x': entry_addr 0x100100 lies outside of what is loaded, up to 0x100100");
    header.entry_addr = LOAD - 1;
    assert_refused(&header,
                   "'x': entry_addr 0xfffff lies outside of what is loaded, up to 0x100100");
}

static void kernel_outside_of_memory_is_refused_with_how_much_it_needs(void **state)
{
    struct header header = sound();

    (void)state;
    header.bss_end_addr = 16 * MIB;
    assert_refused(&header, "'x': the kernel, 15728640 bytes at 0x100000, does not fit the guest's "
                            "memory of 4194304 bytes; it needs 16777216 or more");
}

static void addresses_that_wrap_at_4_gib_are_refused(void **state)
{
    struct header header = sound();

    (void)state;
    header.load_addr = 0xfffffff0;
    header.header_addr = 0xffffffff;
    header.entry_addr = 0xfffffff0;
    assert_refused(&header,
                   "'x': the kernel, 255 bytes at 0xfffffff0, does not fit the guest's memory "
                   "of 4194304 bytes");
}

/* An ELF file of the class, with a Multiboot header behind its own. */
struct elf_kernel {
    union {
        struct {
            Elf32_Ehdr header;
            Elf32_Phdr segment;
        } narrow;
        struct {
            Elf64_Ehdr header;
            Elf64_Phdr segment;
        } wide;
    };
    struct header multiboot;
};

static struct elf_kernel elf32(void)
{
    struct elf_kernel kernel = { .multiboot = {
                                     .magic = MAGIC, .flags = 3, .checksum = -(MAGIC + 3) } };

    kernel.narrow.header = (Elf32_Ehdr){
        .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_EXEC,
        .e_machine = EM_386,
        .e_entry = LOAD,
        .e_phoff = sizeof(Elf32_Ehdr),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 1,
    };
    kernel.narrow.segment = (Elf32_Phdr){
        .p_type = PT_LOAD,
        .p_vaddr = LOAD,
        .p_paddr = LOAD,
        .p_filesz = sizeof(kernel),
        .p_memsz = sizeof(kernel),
    };
    return kernel;
}

static struct elf_kernel elf64(void)
{
    struct elf_kernel kernel = { .multiboot = { .magic = MAGIC, .checksum = -MAGIC } };

    kernel.wide.header = (Elf64_Ehdr){
        .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_entry = LOAD,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
    };
    kernel.wide.segment = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_vaddr = LOAD,
        .p_paddr = LOAD,
        .p_filesz = sizeof(kernel),
        .p_memsz = sizeof(kernel),
    };
    return kernel;
}

static void assert_elf_loaded(const struct elf_kernel *kernel)
{
    struct image_fixture fixture;

    image_fixture_init(&fixture, kernel, sizeof(*kernel), FIXTURE_MEMORY);
    image_fixture_accept(&fixture, IMAGE_MULTIBOOT);
    image_fixture_expect(&fixture, LOAD, kernel, sizeof(*kernel));
    assert_int_equal(fixture.boot.mode, BOOT_PROTECTED);
    assert_int_equal(fixture.boot.entry, LOAD);
    assert_int_equal(fixture.boot.arguments[BOOT_RAX], 0x2badb002);
    image_fixture_deinit(&fixture);
}

static void elf_kernel_is_loaded_by_its_program_headers(void **state)
{
    const struct elf_kernel kernel = elf32();

    (void)state;
    assert_elf_loaded(&kernel);
}

static void elf_kernel_of_64_bits_is_entered_in_protected_mode_too(void **state)
{
    const struct elf_kernel kernel = elf64();

    (void)state;
    assert_elf_loaded(&kernel);
}

static void elf_kernel_for_another_machine_is_refused(void **state)
{
    struct elf_kernel kernel = elf32();
    struct image_fixture fixture;

    (void)state;
    kernel.narrow.header.e_machine = EM_ARM;
    image_fixture_init(&fixture, &kernel, sizeof(kernel), FIXTURE_MEMORY);
    image_fixture_refuse(&fixture, IMAGE_MULTIBOOT,
                         "'x' is an ARM image; this host runs x86-64 guests");
    image_fixture_deinit(&fixture);
}

static void kernel_that_is_no_elf_and_has_no_addresses_is_refused(void **state)
{
    struct header header = sound();

    (void)state;
    set_flags(&header, 0);
    assert_refused(&header,
                   "'x': it is no ELF file, and flags bit 16, which would say where it goes, "
                   "is not set in its Multiboot header");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_state_is_the_specifications),
        cmocka_unit_test(whole_file_is_loaded_where_the_header_says),
        cmocka_unit_test(part_of_the_file_is_loaded_where_the_header_says),
        cmocka_unit_test(memory_is_told_in_kib_below_and_above_1_mib),
        cmocka_unit_test(memory_map_has_the_bios_area_reserved),
        cmocka_unit_test(command_line_and_the_loaders_name_are_told),
        cmocka_unit_test(no_command_line_is_an_empty_one),
        cmocka_unit_test(what_there_is_not_is_not_told),
        cmocka_unit_test(modules_lie_behind_the_kernel_in_order_and_page_aligned),
        cmocka_unit_test(modules_lie_behind_the_kernels_bss),
        cmocka_unit_test(module_that_does_not_fit_is_refused),
        cmocka_unit_test(module_that_became_shorter_is_refused),
        cmocka_unit_test(information_keeps_out_of_a_kernels_way_in_low_memory),
        cmocka_unit_test(information_goes_above_1_mib_where_low_memory_is_taken),
        cmocka_unit_test(command_line_longer_than_memory_is_refused),
        cmocka_unit_test(memory_of_64_kib_is_enough_for_a_small_kernel),
        cmocka_unit_test(file_without_a_header_is_refused),
        cmocka_unit_test(header_of_multiboot_2_is_refused_by_name),
        cmocka_unit_test(wrong_checksum_is_refused_with_the_right_one),
        cmocka_unit_test(magic_with_a_wrong_checksum_does_not_hide_the_header_behind_it),
        cmocka_unit_test(header_must_be_aligned_and_wholly_in_the_first_8192_bytes),
        cmocka_unit_test(header_that_the_file_ends_in_is_refused),
        cmocka_unit_test(video_mode_is_refused),
        cmocka_unit_test(unknown_requirements_are_refused),
        cmocka_unit_test(unknown_optional_features_are_ignored),
        cmocka_unit_test(load_addr_above_header_addr_is_refused),
        cmocka_unit_test(load_addr_before_the_file_begins_is_refused),
        cmocka_unit_test(load_end_addr_outside_of_the_file_is_refused),
        cmocka_unit_test(bss_end_addr_within_what_is_loaded_is_refused),
        cmocka_unit_test(entry_addr_outside_of_what_is_loaded_is_refused),
        cmocka_unit_test(kernel_outside_of_memory_is_refused_with_how_much_it_needs),
        cmocka_unit_test(addresses_that_wrap_at_4_gib_are_refused),
        cmocka_unit_test(elf_kernel_is_loaded_by_its_program_headers),
        cmocka_unit_test(elf_kernel_of_64_bits_is_entered_in_protected_mode_too),
        cmocka_unit_test(elf_kernel_for_another_machine_is_refused),
        cmocka_unit_test(kernel_that_is_no_elf_and_has_no_addresses_is_refused),
    };

    return cmocka_run_group_tests_name("multiboot", tests, NULL, NULL);
}

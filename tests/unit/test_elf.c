#include "unit_test.h"

#include <assert.h>
#include <elf.h>

#include "image_fixture.h"

enum {
    SEGMENTS_MAX = 70,
    CODE_SIZE = 16,
    CODE_OFFSET = 0x1000,
    FILE_SIZE = CODE_OFFSET + CODE_SIZE
};

static const char code[] = "0123456789abcdef";

/* An executable with a segment of 16 bytes, its code, at 1 MiB, where it is entered. */
struct file64 {
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS_MAX];
};

struct file32 {
    Elf32_Ehdr header;
    Elf32_Phdr segments[SEGMENTS_MAX];
};

static_assert(sizeof(struct file64) <= CODE_OFFSET, "the code is behind");

static const Elf64_Phdr segment64 = {
    .p_type = PT_LOAD,
    .p_offset = CODE_OFFSET,
    .p_vaddr = 0x100000,
    .p_paddr = 0x100000,
    .p_filesz = CODE_SIZE,
    .p_memsz = CODE_SIZE,
};

static struct file64 sound64(void)
{
    struct file64 file = {
        .header = {
            .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
            .e_type = ET_EXEC,
            .e_machine = EM_X86_64,
            .e_entry = 0x100000,
            .e_phoff = sizeof(Elf64_Ehdr),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = 1,
        },
        .segments = { segment64 },
    };

    return file;
}

static struct file32 sound32(void)
{
    struct file32 file = {
        .header = {
            .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
            .e_type = ET_EXEC,
            .e_machine = EM_386,
            .e_entry = 0x100000,
            .e_phoff = sizeof(Elf32_Ehdr),
            .e_phentsize = sizeof(Elf32_Phdr),
            .e_phnum = 1,
        },
        .segments = { {
            .p_type = PT_LOAD,
            .p_offset = CODE_OFFSET,
            .p_vaddr = 0x100000,
            .p_paddr = 0x100000,
            .p_filesz = CODE_SIZE,
            .p_memsz = CODE_SIZE,
        } },
    };

    return file;
}

/* The headers, and the code at its offset. */
static void init(struct image_fixture *fixture, const void *headers, size_t size)
{
    unsigned char bytes[FILE_SIZE] = { 0 };

    memcpy(bytes, headers, size);
    memcpy(bytes + CODE_OFFSET, code, CODE_SIZE);
    image_fixture_init(fixture, bytes, sizeof(bytes), FIXTURE_MEMORY);
}

static void assert_refused(const struct file64 *file, const char *expected)
{
    struct image_fixture fixture;

    init(&fixture, file, sizeof(*file));
    image_fixture_refuse(&fixture, IMAGE_ELF, expected);
    image_fixture_deinit(&fixture);
}

static void assert_refused32(const struct file32 *file, const char *expected)
{
    struct image_fixture fixture;

    init(&fixture, file, sizeof(*file));
    image_fixture_refuse(&fixture, IMAGE_ELF, expected);
    image_fixture_deinit(&fixture);
}

/* The code is at `at`, and entered at `entry`. */
static void assert_loaded(const struct file64 *file, gpa_t at, gpa_t entry)
{
    struct image_fixture fixture;

    init(&fixture, file, sizeof(*file));
    image_fixture_accept(&fixture, IMAGE_ELF);
    image_fixture_expect(&fixture, at, code, CODE_SIZE);
    assert_int_equal(fixture.boot.entry, entry);
    assert_int_equal(fixture.boot.mode, BOOT_LONG);
    image_fixture_deinit(&fixture);
}

static void file_of_64_bits_is_entered_in_long_mode(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_entry = 0x100004;
    assert_loaded(&file, 0x100000, 0x100004);
}

static void file_of_32_bits_is_entered_in_protected_mode(void **state)
{
    struct file32 file = sound32();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &file, sizeof(file));
    image_fixture_accept(&fixture, IMAGE_ELF);
    image_fixture_expect(&fixture, 0x100000, code, CODE_SIZE);
    assert_int_equal(fixture.boot.mode, BOOT_PROTECTED);
    assert_int_equal(fixture.boot.entry, 0x100000);
    image_fixture_deinit(&fixture);
}

static void stack_is_at_the_end_of_memory(void **state)
{
    struct file64 file = sound64();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &file, sizeof(file));
    image_fixture_accept(&fixture, IMAGE_ELF);
    assert_int_equal(fixture.boot.stack, FIXTURE_MEMORY);
    image_fixture_deinit(&fixture);
}

static void stack_is_not_in_a_segment(void **state)
{
    struct file64 file = sound64();
    struct image_fixture fixture;

    (void)state;
    file.header.e_phnum = 2;
    file.segments[1] = segment64;
    file.segments[1].p_paddr = FIXTURE_MEMORY - CODE_SIZE;
    init(&fixture, &file, sizeof(file));
    image_fixture_accept(&fixture, IMAGE_ELF);
    assert_int_equal(fixture.boot.stack, FIXTURE_MEMORY - 4096);
    image_fixture_deinit(&fixture);
}

static void segment_is_loaded_at_its_physical_address_and_entered_there(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.segments[0].p_vaddr = 0xffffffff80100000;
    file.segments[0].p_paddr = 0x200000;
    file.header.e_entry = 0xffffffff80100004;
    assert_loaded(&file, 0x200000, 0x200004);
}

static void entry_may_be_physical(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.segments[0].p_vaddr = 0xffffffff80100000;
    file.header.e_entry = 0x10000f;
    assert_loaded(&file, 0x100000, 0x10000f);
}

static void entry_that_is_virtual_and_physical_is_taken_as_virtual(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_phnum = 2;
    file.segments[0].p_vaddr = 0x300000; /* e_entry is its physical address */
    file.segments[1] = segment64;        /* and the other's virtual one */
    file.segments[1].p_paddr = 0x200000;
    assert_loaded(&file, 0x200000, 0x200000);
}

static void segment_ends_in_zeros_where_memory_is_larger_than_file(void **state)
{
    struct file64 file = sound64();
    struct image_fixture fixture;

    (void)state;
    file.segments[0].p_memsz = 32;
    init(&fixture, &file, sizeof(file));
    image_fixture_accept(&fixture, IMAGE_ELF);
    image_fixture_expect(&fixture, 0x100000, "0123456789abcdef\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                         32);
    image_fixture_deinit(&fixture);
}

static void segment_without_bytes_may_have_any_offset(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_phnum = 2;
    file.segments[1] = segment64;
    file.segments[1].p_paddr = 0x200000;
    file.segments[1].p_filesz = 0;
    file.segments[1].p_offset = UINT64_MAX;
    assert_loaded(&file, 0x100000, 0x100000);
}

static void segments_that_are_not_loaded_are_not_looked_at(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_phnum = 4;
    file.segments[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = UINT64_MAX, .p_filesz = 9 };
    file.segments[2] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_filesz = UINT64_MAX };
    file.segments[3] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_paddr = UINT64_MAX }; /* empty */
    assert_loaded(&file, 0x100000, 0x100000);
}

static void segment_may_end_with_memory(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.segments[0].p_paddr = FIXTURE_MEMORY - CODE_SIZE;
    assert_loaded(&file, FIXTURE_MEMORY - CODE_SIZE, FIXTURE_MEMORY - CODE_SIZE);
}

static void file_of_another_machine_is_refused_by_name(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_machine = EM_RISCV;
    assert_refused(&file, "'x' is a RISC-V image; this host runs x86-64 guests");
    file.header.e_machine = EM_AARCH64;
    assert_refused(&file, "'x' is an ARM64 image; this host runs x86-64 guests");
    file.header.e_machine = 0x1234;
    assert_refused(&file, "'x' is an image for e_machine 4660; this host runs x86-64 guests");
}

static void file_of_another_machine_is_refused_for_that_before_anything_else(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_machine = EM_RISCV;
    file.header.e_type = ET_DYN;
    file.header.e_phnum = 0;
    assert_refused(&file, "'x' is a RISC-V image; this host runs x86-64 guests");
}

static void class_that_does_not_go_with_the_machine_is_refused(void **state)
{
    struct file64 wide = sound64();
    struct file32 narrow = sound32();

    (void)state;
    wide.header.e_machine = EM_386;
    assert_refused(&wide, "'x': EI_CLASS 2 does not go with e_machine 3 (an x86 image)");
    narrow.header.e_machine = EM_X86_64;
    assert_refused32(&narrow, "'x': EI_CLASS 1 does not go with e_machine 62 (an x86-64 image)");
}

static void file_without_the_magic_is_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_ident[0] = 0;
    assert_refused(&file, "'x' is not an ELF file: it does not begin with 7f 45 4c 46");
}

static void identification_that_is_not_sound_is_refused_with_the_field(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_ident[EI_CLASS] = 3;
    assert_refused(&file, "'x': EI_CLASS is 3, not 1 (ELF32) or 2 (ELF64)");
    file = sound64();
    file.header.e_ident[EI_DATA] = ELFDATA2MSB;
    assert_refused(&file, "'x': EI_DATA is 2, not 1 (little-endian)");
    file = sound64();
    file.header.e_ident[EI_VERSION] = 0;
    assert_refused(&file, "'x': EI_VERSION is 0, not 1");
}

static void file_that_is_no_executable_is_refused_with_what_would_do(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_type = ET_DYN;
    assert_refused(&file,
                   "'x' is position-independent (e_type is 3, ET_DYN), and nothing here would "
                   "relocate it; link it with -no-pie");
    file.header.e_type = ET_REL;
    assert_refused(&file, "'x' is an object file (e_type is 1, ET_REL); link it first");
    file.header.e_type = ET_CORE;
    assert_refused(&file, "'x': e_type is 4, not 2 (ET_EXEC)");
}

static void file_for_a_dynamic_linker_is_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_phnum = 2;
    file.segments[1].p_type = PT_INTERP;
    assert_refused(
        &file, "'x' wants a dynamic linker (PT_INTERP), and there is none; link it with -static");
}

static void absurd_counts_and_sizes_of_program_headers_are_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_phnum = 0;
    assert_refused(&file, "'x': e_phnum is 0: there is nothing to load");
    file.header.e_phnum = 129;
    assert_refused(&file, "'x': e_phnum is 129, more than the 128 there may be");
    file.header.e_phnum = PN_XNUM;
    assert_refused(&file, "'x': e_phnum is 65535, more than the 128 there may be");
    file = sound64();
    file.header.e_phentsize = 32;
    assert_refused(&file, "'x': e_phentsize is 32, not 56");
}

static void program_headers_outside_of_the_file_are_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_phoff = FILE_SIZE - 55;
    assert_refused(&file,
                   "'x': the 1 program headers at e_phoff 0xfd9 lie outside of the file, which "
                   "has 4112 bytes");
    file.header.e_phoff = UINT64_MAX - 8;
    assert_refused(&file,
                   "'x': the 1 program headers at e_phoff 0xfffffffffffffff7 lie outside of the "
                   "file, which has 4112 bytes");
}

static void file_that_is_cut_off_in_its_header_is_refused(void **state)
{
    struct file64 file = sound64();
    struct image_fixture fixture;

    (void)state;
    image_fixture_init(&fixture, &file, 10, FIXTURE_MEMORY);
    image_fixture_refuse(&fixture, IMAGE_ELF,
                         "'x' is truncated: it has 10 bytes, not the 16 at offset 0");
    image_fixture_deinit(&fixture);
    image_fixture_init(&fixture, &file, 63, FIXTURE_MEMORY);
    image_fixture_refuse(&fixture, IMAGE_ELF,
                         "'x' is truncated: it has 63 bytes, not the 64 at offset 0");
    image_fixture_deinit(&fixture);
}

static void segment_outside_of_the_file_is_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.segments[0].p_offset = CODE_OFFSET + 1;
    assert_refused(&file,
                   "'x' is truncated: segment 0's p_filesz 0x10 bytes at p_offset 0x1001 are "
                   "not in its 4112 bytes");
    file.segments[0].p_offset = UINT64_MAX - 3; /* wraps */
    assert_refused(&file, "'x' is truncated: segment 0's p_filesz 0x10 bytes at p_offset "
                          "0xfffffffffffffffc are not in its 4112 bytes");
}

static void segment_with_more_bytes_than_memory_is_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.segments[0].p_memsz = 15;
    assert_refused(&file, "'x': segment 0: p_filesz 0x10 is more than p_memsz 0xf");
}

static void segment_outside_of_memory_is_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.segments[0].p_paddr = FIXTURE_MEMORY - 15;
    assert_refused(&file,
                   "'x': segment 0, 16 bytes at 0x3ffff1, does not fit the guest's memory of "
                   "4194304 bytes; it needs 4194305 or more");
    file.segments[0].p_paddr = UINT64_MAX - 7; /* wraps */
    assert_refused(&file,
                   "'x': segment 0, 16 bytes at 0xfffffffffffffff8, does not fit the guest's "
                   "memory of 4194304 bytes");
    file.segments[0] = segment64;
    file.segments[0].p_memsz = UINT64_MAX;
    assert_refused(&file,
                   "'x': segment 0, 18446744073709551615 bytes at 0x100000, does not fit the "
                   "guest's memory of 4194304 bytes");
}

static void segments_that_overlap_are_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_phnum = 2;
    file.segments[1] = segment64;
    file.segments[1].p_paddr += CODE_SIZE - 1;
    assert_refused(&file, "'x': segment 1, 16 bytes at 0x10000f, lies over segment 0, 16 bytes at "
                          "0x100000");
}

static void more_segments_than_a_file_may_have_are_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.header.e_phnum = 65;
    for (unsigned i = 0; i < 65; i++) {
        file.segments[i] = segment64;
        file.segments[i].p_paddr += i * CODE_SIZE;
    }
    assert_refused(&file, "'x' has more than 64 segments to load");
    file.header.e_phnum = 64;
    assert_loaded(&file, 0x100000 + 63 * CODE_SIZE, 0x100000 + 63 * CODE_SIZE);
}

static void file_with_nothing_to_load_is_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.segments[0].p_type = PT_NOTE;
    assert_refused(&file, "'x' has no segment to load (PT_LOAD)");
}

static void entry_outside_of_the_segments_bytes_is_refused(void **state)
{
    struct file64 file = sound64();

    (void)state;
    file.segments[0].p_memsz = 4096;
    file.header.e_entry = 0x100010; /* zeros */
    assert_refused(&file, "'x': e_entry 0x100010 lies in none of its segments' bytes");
    file.header.e_entry = 0;
    assert_refused(&file, "'x': e_entry 0x0 lies in none of its segments' bytes");
}

static void entry_above_4_gib_is_refused(void **state)
{
    struct file64 file = sound64();
    struct image_fixture fixture;

    (void)state;
    file.segments[0].p_paddr = GUEST_HOLE_END;
    init(&fixture, &file, sizeof(file));
    guest_memory_deinit(&fixture.memory);
    assert_int_equal(guest_memory_init(&fixture.memory, 0, GUEST_HOLE_START + 4096, &fixture.err),
                     0);
    image_fixture_refuse(
        &fixture, IMAGE_ELF,
        "'x': e_entry is at 0x100000000, and can be entered below 0x100000000 alone");
    image_fixture_deinit(&fixture);
}

static void file_that_became_shorter_is_refused(void **state)
{
    struct file64 file = sound64();
    struct image_fixture fixture;

    (void)state;
    init(&fixture, &file, sizeof(file));
    assert_int_equal(ftruncate(fixture.request.image.fd, CODE_OFFSET + 1), 0);
    image_fixture_refuse(&fixture, IMAGE_ELF, "cannot read 'x': it became shorter meanwhile");
    image_fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_of_64_bits_is_entered_in_long_mode),
        cmocka_unit_test(file_of_32_bits_is_entered_in_protected_mode),
        cmocka_unit_test(stack_is_at_the_end_of_memory),
        cmocka_unit_test(stack_is_not_in_a_segment),
        cmocka_unit_test(segment_is_loaded_at_its_physical_address_and_entered_there),
        cmocka_unit_test(entry_may_be_physical),
        cmocka_unit_test(entry_that_is_virtual_and_physical_is_taken_as_virtual),
        cmocka_unit_test(segment_ends_in_zeros_where_memory_is_larger_than_file),
        cmocka_unit_test(segment_without_bytes_may_have_any_offset),
        cmocka_unit_test(segments_that_are_not_loaded_are_not_looked_at),
        cmocka_unit_test(segment_may_end_with_memory),
        cmocka_unit_test(file_of_another_machine_is_refused_by_name),
        cmocka_unit_test(file_of_another_machine_is_refused_for_that_before_anything_else),
        cmocka_unit_test(class_that_does_not_go_with_the_machine_is_refused),
        cmocka_unit_test(file_without_the_magic_is_refused),
        cmocka_unit_test(identification_that_is_not_sound_is_refused_with_the_field),
        cmocka_unit_test(file_that_is_no_executable_is_refused_with_what_would_do),
        cmocka_unit_test(file_for_a_dynamic_linker_is_refused),
        cmocka_unit_test(absurd_counts_and_sizes_of_program_headers_are_refused),
        cmocka_unit_test(program_headers_outside_of_the_file_are_refused),
        cmocka_unit_test(file_that_is_cut_off_in_its_header_is_refused),
        cmocka_unit_test(segment_outside_of_the_file_is_refused),
        cmocka_unit_test(segment_with_more_bytes_than_memory_is_refused),
        cmocka_unit_test(segment_outside_of_memory_is_refused),
        cmocka_unit_test(segments_that_overlap_are_refused),
        cmocka_unit_test(more_segments_than_a_file_may_have_are_refused),
        cmocka_unit_test(file_with_nothing_to_load_is_refused),
        cmocka_unit_test(entry_outside_of_the_segments_bytes_is_refused),
        cmocka_unit_test(entry_above_4_gib_is_refused),
        cmocka_unit_test(file_that_became_shorter_is_refused),
    };

    return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}

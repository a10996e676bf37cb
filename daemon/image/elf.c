#include "image/elf.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image/arch.h"
#include "image/image_file.h"
#include "kvm/arch.h"

/* Files are read into these structs as they are. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian host");
static_assert(sizeof(Elf32_Ehdr) == 52 && sizeof(Elf64_Ehdr) == 64, "ELF headers");
static_assert(sizeof(Elf32_Phdr) == 32 && sizeof(Elf64_Phdr) == 56, "program headers");

enum {
    HEADERS_MAX = 128, /* e_phnum; linkers make about ten */
    STACK_SIZE = 4096, /* what is kept free; in fact it may grow to the next thing below */
};

/* The two classes in the width of the larger one. */
struct header {
    unsigned char class;
    uint16_t type;
    uint16_t machine;
    uint64_t entry;
    uint64_t phoff;
    uint16_t phentsize;
    uint16_t phnum;
};

struct segment {
    uint32_t type;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t filesz;
    uint64_t memsz;
};

bool elf_recognise(const struct image_probe *probe)
{
    return probe->size >= SELFMAG && memcmp(probe->head, ELFMAG, SELFMAG) == 0;
}

static int check_ident(const char *name, const unsigned char *ident, struct error *err)
{
    if (memcmp(ident, ELFMAG, SELFMAG) != 0)
        return error_set(err, -ENOEXEC,
                         "'%s' is not an ELF file: it does not begin with 7f 45 4c 46", name);
    if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
        return error_set(err, -ENOEXEC, "'%s': EI_CLASS is %u, not 1 (ELF32) or 2 (ELF64)", name,
                         ident[EI_CLASS]);
    if (ident[EI_DATA] != ELFDATA2LSB)
        return error_set(err, -ENOEXEC, "'%s': EI_DATA is %u, not 1 (little-endian)", name,
                         ident[EI_DATA]);
    if (ident[EI_VERSION] != EV_CURRENT)
        return error_set(err, -ENOEXEC, "'%s': EI_VERSION is %u, not 1", name, ident[EI_VERSION]);
    return 0;
}

static int read_header32(const struct image_file *file, struct header *ret, struct error *err)
{
    Elf32_Ehdr header;
    int r = image_file_read(file, 0, &header, sizeof(header), err);

    if (r == 0)
        *ret = (struct header){
            .class = ELFCLASS32,
            .type = header.e_type,
            .machine = header.e_machine,
            .entry = header.e_entry,
            .phoff = header.e_phoff,
            .phentsize = header.e_phentsize,
            .phnum = header.e_phnum,
        };
    return r;
}

static int read_header64(const struct image_file *file, struct header *ret, struct error *err)
{
    Elf64_Ehdr header;
    int r = image_file_read(file, 0, &header, sizeof(header), err);

    if (r == 0)
        *ret = (struct header){
            .class = ELFCLASS64,
            .type = header.e_type,
            .machine = header.e_machine,
            .entry = header.e_entry,
            .phoff = header.e_phoff,
            .phentsize = header.e_phentsize,
            .phnum = header.e_phnum,
        };
    return r;
}

static const char *machine_to_string(uint16_t machine)
{
    static const struct {
        uint16_t machine;
        const char *name;
    } rows[] = {
        { EM_386, "an x86" },       { EM_X86_64, "an x86-64" },      { EM_ARM, "an ARM" },
        { EM_AARCH64, "an ARM64" }, { EM_RISCV, "a RISC-V" },        { EM_PPC, "a PowerPC" },
        { EM_PPC64, "a PowerPC" },  { EM_MIPS, "a MIPS" },           { EM_S390, "an s390" },
        { EM_SPARC, "a SPARC" },    { EM_LOONGARCH, "a LoongArch" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].machine == machine)
            return rows[i].name;
    return NULL;
}

static int refuse_machine(const char *name, const struct header *header, struct error *err)
{
    const char *machine = machine_to_string(header->machine);

    for (size_t i = 0; i < arch_elf_target_count; i++)
        if (arch_elf_targets[i].machine == header->machine)
            return error_set(err, -ENOEXEC,
                             "'%s': EI_CLASS %u does not go with e_machine %u (%s image)", name,
                             header->class, header->machine, machine);
    if (machine)
        return error_set(err, -ENOEXEC, "'%s' is %s image; this host runs %s guests", name, machine,
                         arch_name);
    return error_set(err, -ENOEXEC, "'%s' is an image for e_machine %u; this host runs %s guests",
                     name, header->machine, arch_name);
}

/* The machine comes first: it explains whatever else is odd. */
static int check_machine(const char *name, const struct header *header,
                         const struct elf_target **ret, struct error *err)
{
    for (size_t i = 0; i < arch_elf_target_count; i++)
        if (arch_elf_targets[i].machine == header->machine &&
            arch_elf_targets[i].class == header->class) {
            *ret = &arch_elf_targets[i];
            return 0;
        }
    return refuse_machine(name, header, err);
}

static int check_type(const char *name, uint16_t type, struct error *err)
{
    switch (type) {
    case ET_EXEC:
        return 0;
    case ET_DYN:
        return error_set(
            err, -ENOEXEC,
            "'%s' is position-independent (e_type is 3, ET_DYN), and nothing here would "
            "relocate it; link it with -no-pie",
            name);
    case ET_REL:
        return error_set(err, -ENOEXEC,
                         "'%s' is an object file (e_type is 1, ET_REL); link it first", name);
    }
    return error_set(err, -ENOEXEC, "'%s': e_type is %u, not 2 (ET_EXEC)", name, type);
}

static size_t entry_size(unsigned char class)
{
    return class == ELFCLASS32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
}

static int check_header(const struct image_file *file, const struct header *header,
                        struct error *err)
{
    uint64_t size = (uint64_t)header->phnum * header->phentsize;

    if (header->phnum == 0)
        return error_set(err, -ENOEXEC, "'%s': e_phnum is 0: there is nothing to load", file->name);
    if (header->phnum > HEADERS_MAX)
        return error_set(err, -ENOEXEC, "'%s': e_phnum is %u, more than the %d there may be",
                         file->name, header->phnum, HEADERS_MAX);
    if (header->phentsize != entry_size(header->class))
        return error_set(err, -ENOEXEC, "'%s': e_phentsize is %u, not %zu", file->name,
                         header->phentsize, entry_size(header->class));
    if (!image_file_holds(file, header->phoff, size))
        return error_set(err, -ENOEXEC,
                         "'%s': the %u program headers at e_phoff 0x%" PRIx64
                         " lie outside of the file, which has %" PRIu64 " bytes",
                         file->name, header->phnum, header->phoff, file->size);
    return 0;
}

static int read_header(const struct image_file *file, struct header *ret,
                       const struct elf_target **ret_target, struct error *err)
{
    unsigned char ident[EI_NIDENT];
    int r;

    r = image_file_read(file, 0, ident, sizeof(ident), err);
    if (r == 0)
        r = check_ident(file->name, ident, err);
    if (r == 0)
        r = ident[EI_CLASS] == ELFCLASS32 ? read_header32(file, ret, err)
                                          : read_header64(file, ret, err);
    if (r == 0)
        r = check_machine(file->name, ret, ret_target, err);
    if (r == 0)
        r = check_type(file->name, ret->type, err);
    if (r == 0)
        r = check_header(file, ret, err);
    return r;
}

static int read_segment(const struct image_file *file, const struct header *header, unsigned index,
                        struct segment *ret, struct error *err)
{
    uint64_t offset = header->phoff + (uint64_t)index * header->phentsize;
    Elf32_Phdr narrow;
    Elf64_Phdr wide;
    int r;

    if (header->class == ELFCLASS64) {
        r = image_file_read(file, offset, &wide, sizeof(wide), err);
        if (r == 0)
            *ret = (struct segment){ wide.p_type,  wide.p_offset, wide.p_vaddr,
                                     wide.p_paddr, wide.p_filesz, wide.p_memsz };
        return r;
    }
    r = image_file_read(file, offset, &narrow, sizeof(narrow), err);
    if (r == 0)
        *ret = (struct segment){ narrow.p_type,  narrow.p_offset, narrow.p_vaddr,
                                 narrow.p_paddr, narrow.p_filesz, narrow.p_memsz };
    return r;
}

static int check_segment(const struct image_file *file, unsigned index,
                         const struct segment *segment, struct error *err)
{
    if (segment->filesz > segment->memsz)
        return error_set(err, -ENOEXEC,
                         "'%s': segment %u: p_filesz 0x%" PRIx64 " is more than p_memsz 0x%" PRIx64,
                         file->name, index, segment->filesz, segment->memsz);
    /* p_offset of a segment without bytes may be anything */
    if (segment->filesz > 0 && !image_file_holds(file, segment->offset, segment->filesz))
        return error_set(err, -ENOEXEC,
                         "'%s' is truncated: segment %u's p_filesz 0x%" PRIx64
                         " bytes at p_offset 0x%" PRIx64 " are not in its %" PRIu64 " bytes",
                         file->name, index, segment->filesz, segment->offset, file->size);
    return 0;
}

/* A file on its way into memory. */
struct loading {
    const struct image_file *file;
    struct layout *layout;
    struct guest_memory *memory;
    struct header header;
    unsigned segment_count; /* loaded so far */
    bool entry_found;
    gpa_t entry; /* where e_entry lies in memory */
};

/*
 * Looks for e_entry in the segment. It is a virtual address (System V ABI, "ELF Header"), but
 * kernels that are linked high often have the physical one there: that counts if no segment has the
 * virtual one.
 */
static void find_entry(struct loading *loading, const struct segment *segment)
{
    uint64_t entry = loading->header.entry;

    if (entry >= segment->vaddr && entry - segment->vaddr < segment->filesz) {
        loading->entry = segment->paddr + (entry - segment->vaddr);
        loading->entry_found = true;
    } else if (!loading->entry_found && entry >= segment->paddr &&
               entry - segment->paddr < segment->filesz) {
        loading->entry = entry;
        loading->entry_found = true;
    }
}

static int load_segment(struct loading *loading, unsigned index, const struct segment *segment,
                        struct error *err)
{
    int r;

    if (++loading->segment_count > ELF_SEGMENTS_MAX)
        return error_set(err, -ENOEXEC, "'%s' has more than %d segments to load",
                         loading->file->name, ELF_SEGMENTS_MAX);
    r = check_segment(loading->file, index, segment, err);
    if (r == 0)
        r = layout_add(loading->layout, segment->paddr, segment->memsz, err, "segment %u", index);
    /* what p_memsz has beyond p_filesz is to be 0, and memory is */
    if (r == 0 && segment->filesz > 0)
        r = image_file_load(loading->file, segment->offset, loading->memory, segment->paddr,
                            segment->filesz, err);
    if (r == 0)
        find_entry(loading, segment);
    return r;
}

static int use_program_header(struct loading *loading, unsigned index, struct error *err)
{
    struct segment segment = { 0 };
    int r;

    r = read_segment(loading->file, &loading->header, index, &segment, err);
    if (r < 0)
        return r;
    if (segment.type == PT_INTERP)
        return error_set(err, -ENOEXEC,
                         "'%s' wants a dynamic linker (PT_INTERP), and there is none; link it with "
                         "-static",
                         loading->file->name);
    if (segment.type != PT_LOAD || segment.memsz == 0)
        return 0;
    return load_segment(loading, index, &segment, err);
}

static int check_entry(const struct loading *loading, uint64_t reach, struct error *err)
{
    const char *name = loading->file->name;

    if (loading->segment_count == 0)
        return error_set(err, -ENOEXEC, "'%s' has no segment to load (PT_LOAD)", name);
    if (!loading->entry_found)
        return error_set(err, -ENOEXEC,
                         "'%s': e_entry 0x%" PRIx64 " lies in none of its segments' bytes", name,
                         loading->header.entry);
    if (loading->entry >= reach)
        return error_set(err, -ENOEXEC,
                         "'%s': e_entry is at 0x%" PRIx64 ", and can be entered below 0x%" PRIx64
                         " alone",
                         name, loading->entry, reach);
    return 0;
}

int elf_load(const struct image_file *file, struct layout *layout, struct guest_memory *memory,
             struct elf_entry *ret, struct error *err)
{
    struct loading loading = { .file = file, .layout = layout, .memory = memory };
    const struct elf_target *target = NULL;
    int r;

    r = read_header(file, &loading.header, &target, err);
    for (unsigned i = 0; r == 0 && i < loading.header.phnum; i++)
        r = use_program_header(&loading, i, err);
    if (r == 0)
        r = check_entry(&loading, target->reach, err);
    if (r == 0)
        *ret = (struct elf_entry){
            .address = loading.entry,
            .mode = target->mode,
            .reach = target->reach,
        };
    return r;
}

static int load_elf(const struct image_request *request, struct guest_memory *memory,
                    struct boot *ret, struct error *err)
{
    struct layout_room room = { .align = STACK_SIZE };
    struct elf_entry entry;
    struct layout layout;
    gpa_t stack, end;
    int r;

    layout_init(&layout, memory, request->image.name);
    r = elf_load(&request->image, &layout, memory, &entry, err);
    if (r < 0)
        return r;
    room.limit = entry.reach;
    end = layout_end(&layout);
    r = layout_place_high(&layout, &room, STACK_SIZE, "a stack", &stack, err);
    if (r == 0)
        *ret = (struct boot){
            .mode = entry.mode,
            .entry = entry.address,
            .stack = stack + STACK_SIZE,
            .image_end = end,
        };
    return r;
}

const struct image_loader elf_loader = {
    .recognise = elf_recognise,
    .load = load_elf,
};

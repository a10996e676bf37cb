#include "image/x86/formats.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/elf.h"
#include "image/image_file.h"
#include "image/layout.h"
#include "image/x86/e820.h"
#include "kvm/x86/boot_registers.h"
#include "util/cleanup.h"

/* Sections are those of the Multiboot Specification 0.6.96. */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "x86 is");

enum {
    HEADER_ALIGN = 4,          /* section 3.1: 32-bit aligned, and wholly in the first 8192 bytes */
    HEADER_FIXED_SIZE = 12,    /* magic, flags, checksum */
    HEADER_WITH_ADDRESSES = 32 /* up to entry_addr */
};

#define HEADER_MAGIC  UINT32_C(0x1badb002)
#define HEADER2_MAGIC UINT32_C(0xe85250d6) /* Multiboot 2 Specification, "Header magic fields" */
#define LOADER_MAGIC  UINT32_C(0x2badb002) /* section 3.2, EAX */

/* Section 3.1.2. What bits 0 to 15 ask for and a loader does not understand, it must refuse. */
#define FLAG_PAGE_ALIGN  (UINT32_C(1) << 0)
#define FLAG_MEMORY_INFO (UINT32_C(1) << 1)
#define FLAG_VIDEO_MODE  (UINT32_C(1) << 2)
#define FLAG_ADDRESSES   (UINT32_C(1) << 16)
#define FLAGS_MUST       UINT32_C(0xffff)
#define FLAGS_UNDERSTOOD (FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO)

struct header {
    uint32_t magic;
    uint32_t flags;
    uint32_t checksum;
    uint32_t header_addr; /* from here on: with FLAG_ADDRESSES alone */
    uint32_t load_addr;
    uint32_t load_end_addr;
    uint32_t bss_end_addr;
    uint32_t entry_addr;
};

static_assert(sizeof(struct header) == HEADER_WITH_ADDRESSES, "section 3.1.1");

/* Section 3.3. */
#define INFO_MEMORY      (UINT32_C(1) << 0)
#define INFO_CMDLINE     (UINT32_C(1) << 2)
#define INFO_MODS        (UINT32_C(1) << 3)
#define INFO_MMAP        (UINT32_C(1) << 6)
#define INFO_LOADER_NAME (UINT32_C(1) << 9)

struct info {
    uint32_t flags;
    uint32_t mem_lower;
    uint32_t mem_upper;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count;
    uint32_t mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length;
    uint32_t mmap_addr;
    uint32_t drives_length;
    uint32_t drives_addr;
    uint32_t config_table;
    uint32_t boot_loader_name;
    uint32_t apm_table;
    uint32_t vbe[4];
    uint32_t framebuffer[6];
    uint32_t color_info;
};

static_assert(offsetof(struct info, mmap_length) == 44, "section 3.3");
static_assert(offsetof(struct info, boot_loader_name) == 64, "section 3.3");

struct module {
    uint32_t mod_start;
    uint32_t mod_end; /* the first address after it */
    uint32_t string;
    uint32_t reserved;
};

/* As `size` counts: what follows it. */
struct mmap_entry {
    uint32_t size;
    uint64_t base_addr;
    uint64_t length;
    uint32_t type;
} __attribute__((packed));

static_assert(sizeof(struct mmap_entry) == 24, "section 3.3");
static_assert((int)ELF_SEGMENTS_MAX + (int)IMAGE_MODULES_MAX < (int)LAYOUT_RANGES_MAX,
              "a range for each, and more");

static const char loader_name[] = "vmmd " VMMD_VERSION;

/*
 * Where the information goes: in low memory, which every kernel has mapped as it starts, above what
 * kernels like to use for themselves while they still need it. Modules go after the kernel.
 */
#define INFO_FROM    UINT64_C(0x9000)
#define ADDRESSES_32 UINT64_C(0x100000000)

enum {
    PAGE = 4096,
    STACK_SIZE = 4096, /* section 3.2 promises none; there is one */
};

struct found {
    struct header header;
    uint32_t offset;
};

static uint32_t read_u32(const unsigned char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static bool sum_is_right(const struct header *header)
{
    return header->magic + header->flags + header->checksum == 0;
}

/* The header at that offset of the file's head, as far as the head goes. */
static void copy_header(const struct image_probe *probe, size_t offset, struct header *ret)
{
    size_t left = probe->size - offset;

    *ret = (struct header){ 0 };
    memcpy(ret, probe->head + offset, left < sizeof(*ret) ? left : sizeof(*ret));
}

/* The first header whose checksum is right. Else *ret has the first one with the magic, or a magic
 * of 0. */
static bool find_header(const struct image_probe *probe, struct found *ret)
{
    *ret = (struct found){ 0 };
    for (size_t i = 0; i + HEADER_FIXED_SIZE <= probe->size; i += HEADER_ALIGN) {
        struct header header;

        if (read_u32(probe->head + i) != HEADER_MAGIC)
            continue;
        copy_header(probe, i, &header);
        if (sum_is_right(&header) || ret->header.magic == 0)
            *ret = (struct found){ .header = header, .offset = (uint32_t)i };
        if (sum_is_right(&header))
            return true;
    }
    return false;
}

static bool has_magic2(const struct image_probe *probe)
{
    for (size_t i = 0; i + sizeof(uint32_t) <= probe->size; i += 8)
        if (read_u32(probe->head + i) == HEADER2_MAGIC)
            return true;
    return false;
}

static bool recognise_multiboot(const struct image_probe *probe)
{
    struct found found;

    return find_header(probe, &found);
}

static int refuse_header(const struct image_probe *probe, const struct found *found,
                         struct error *err)
{
    const char *name = probe->file->name;

    if (found->header.magic != 0)
        return error_set(err, -ENOEXEC,
                         "'%s': the Multiboot header at offset 0x%" PRIx32
                         " has checksum 0x%08" PRIx32 "; with flags 0x%08" PRIx32
                         " it should be 0x%08" PRIx32,
                         name, found->offset, found->header.checksum, found->header.flags,
                         -(HEADER_MAGIC + found->header.flags));
    if (has_magic2(probe))
        return error_set(err, -ENOEXEC, "'%s' is for Multiboot 2; vmmd speaks Multiboot 1", name);
    return error_set(
        err, -ENOEXEC,
        "'%s' has no Multiboot header: no 0x1badb002, aligned to %d bytes, in its first "
        "%d",
        name, HEADER_ALIGN, IMAGE_HEAD_SIZE);
}

static int check_flags(const char *name, const struct found *found, size_t size, struct error *err)
{
    uint32_t flags = found->header.flags, unknown = flags & FLAGS_MUST & ~FLAGS_UNDERSTOOD;

    if (unknown & FLAG_VIDEO_MODE)
        return error_set(err, -ENOEXEC,
                         "'%s': flags 0x%08" PRIx32
                         " ask for a video mode (bit 2), and there is no "
                         "display",
                         name, flags);
    if (unknown != 0)
        return error_set(err, -ENOEXEC,
                         "'%s': flags 0x%08" PRIx32
                         " ask for what vmmd does not know: bits 0x%" PRIx32,
                         name, flags, unknown);
    if (flags & FLAG_ADDRESSES && size - found->offset < HEADER_WITH_ADDRESSES)
        return error_set(
            err, -ENOEXEC,
            "'%s': flags bit 16 says that addresses follow the Multiboot header at offset "
            "0x%" PRIx32 ", which ends the file, or its first %d bytes",
            name, found->offset, IMAGE_HEAD_SIZE);
    return 0;
}

static int read_header(const struct image_file *file, struct found *ret, struct error *err)
{
    _cleanup_free_ struct image_probe *probe = NULL;
    int r = image_probe_new(file, &probe, err);

    if (r < 0)
        return r;
    if (!find_header(probe, ret))
        return refuse_header(probe, ret, err);
    return check_flags(file->name, ret, probe->size, err);
}

/* A field of the header in a sentence. */
static int refuse_address(const char *name, const char *field, uint32_t value, const char *why,
                          uint64_t other, struct error *err)
{
    return error_set(err, -ENOEXEC, "'%s': %s 0x%" PRIx32 " %s 0x%" PRIx64, name, field, value, why,
                     other);
}

/* What the header's addresses come to: section 3.1.3. */
struct extent {
    uint64_t offset; /* in the file */
    gpa_t start;
    uint64_t load_size;
    uint64_t size; /* bss included */
};

static int find_extent(const struct image_file *file, const struct found *found, struct extent *ret,
                       struct error *err)
{
    const struct header *header = &found->header;
    struct extent extent = { .start = header->load_addr };
    uint64_t before, load_end, end;

    if (header->header_addr < header->load_addr)
        return refuse_address(file->name, "load_addr", header->load_addr, "lies above header_addr",
                              header->header_addr, err);
    before = header->header_addr - header->load_addr;
    if (before > found->offset)
        return error_set(err, -ENOEXEC,
                         "'%s': load_addr 0x%" PRIx32 " lies 0x%" PRIx64
                         " bytes below header_addr, and the file has 0x%" PRIx32
                         " before its Multiboot header",
                         file->name, header->load_addr, before, found->offset);
    extent.offset = found->offset - before;

    /* 0: up to the end of the file */
    load_end = header->load_end_addr ? header->load_end_addr
                                     : header->load_addr + (file->size - extent.offset);
    if (load_end <= header->load_addr)
        return refuse_address(file->name, "load_end_addr", header->load_end_addr,
                              "is not above load_addr", header->load_addr, err);
    extent.load_size = load_end - header->load_addr;
    if (!image_file_holds(file, extent.offset, extent.load_size))
        return error_set(err, -ENOEXEC,
                         "'%s' is truncated: load_end_addr 0x%" PRIx32 " takes %" PRIu64
                         " bytes from offset 0x%" PRIx64 ", and it has %" PRIu64,
                         file->name, header->load_end_addr, extent.load_size, extent.offset,
                         file->size);

    /* 0: no bss */
    end = header->bss_end_addr ? header->bss_end_addr : load_end;
    if (end < load_end)
        return refuse_address(file->name, "bss_end_addr", header->bss_end_addr,
                              "lies below the end of what is loaded,", load_end, err);
    extent.size = end - header->load_addr;
    if (header->entry_addr < header->load_addr || header->entry_addr >= load_end)
        return refuse_address(file->name, "entry_addr", header->entry_addr,
                              "lies outside of what is loaded, up to", load_end, err);
    *ret = extent;
    return 0;
}

static int load_by_addresses(const struct image_file *file, const struct found *found,
                             struct layout *layout, struct guest_memory *memory, gpa_t *ret_entry,
                             struct error *err)
{
    struct extent extent = { 0 };
    int r;

    r = find_extent(file, found, &extent, err);
    if (r == 0)
        r = layout_add(layout, extent.start, extent.size, err, "the kernel");
    if (r == 0)
        r = image_file_load(file, extent.offset, memory, extent.start, extent.load_size, err);
    if (r == 0)
        *ret_entry = found->header.entry_addr;
    return r;
}

/* Section 3.1.3: without addresses in the header, the file is ELF. */
static int load_elf(const struct image_file *file, struct layout *layout,
                    struct guest_memory *memory, gpa_t *ret_entry, struct error *err)
{
    struct elf_entry entry;
    unsigned char magic[4];
    int r;

    r = image_file_read(file, 0, magic, sizeof(magic), err);
    if (r < 0)
        return r;
    if (memcmp(magic, "\177ELF", sizeof(magic)) != 0)
        return error_set(
            err, -ENOEXEC,
            "'%s': it is no ELF file, and flags bit 16, which would say where it goes, is "
            "not set in its Multiboot header",
            file->name);
    r = elf_load(file, layout, memory, &entry, err);
    if (r == 0)
        *ret_entry = entry.address;
    return r;
}

/* The information and all it points to, written one after the other from where it begins. */
struct writer {
    struct guest_memory *memory;
    gpa_t at;
};

/* Room for it was made, below 4 GiB. */
static uint32_t put(struct writer *writer, const void *data, size_t size)
{
    gpa_t at = writer->at;
    int r = guest_memory_write(writer->memory, at, data, size);

    assert(r == 0);
    (void)r;
    writer->at += size;
    return (uint32_t)at;
}

static uint32_t put_string(struct writer *writer, const char *text)
{
    return put(writer, text, strlen(text) + 1);
}

/* A module without arguments is known by its name. */
static const char *module_string(const struct image_module *module)
{
    return module->arguments[0] != '\0' ? module->arguments : module->file.name;
}

static uint64_t info_size(const struct image_request *request)
{
    uint64_t size = sizeof(struct info) + E820_ENTRIES_MAX * sizeof(struct mmap_entry) +
                    sizeof(loader_name) + strlen(request->append) + 1;

    for (size_t i = 0; i < request->module_count; i++)
        size += sizeof(struct module) + strlen(module_string(&request->modules[i])) + 1;
    return size;
}

static void put_memory_map(struct writer *writer, struct info *info)
{
    struct e820_entry map[E820_ENTRIES_MAX];
    size_t count = e820_fill(writer->memory, map);

    info->flags |= INFO_MEMORY | INFO_MMAP;
    info->mmap_addr = (uint32_t)writer->at;
    for (size_t i = 0; i < count; i++) {
        const struct mmap_entry entry = {
            .size = sizeof(entry) - sizeof(entry.size),
            .base_addr = map[i].start,
            .length = map[i].size,
            .type = map[i].type,
        };

        put(writer, &entry, sizeof(entry));
        /* KiB from 0 and from 1 MiB up, to the first hole */
        if (map[i].type == E820_RAM && map[i].start == 0)
            info->mem_lower = (uint32_t)(map[i].size / 1024);
        if (map[i].type == E820_RAM && map[i].start == HIGH_MEMORY_START)
            info->mem_upper = (uint32_t)(map[i].size / 1024);
    }
    info->mmap_length = (uint32_t)writer->at - info->mmap_addr;
}

/* Loads one after what is there already. */
static int load_module(const struct image_module *module, struct layout *layout,
                       struct guest_memory *memory, gpa_t from, struct module *ret,
                       struct error *err)
{
    /* aligned whether the header asks for it or not: nobody minds */
    const struct layout_room room = { .from = from, .limit = GUEST_HOLE_START, .align = PAGE };
    const struct image_file *file = &module->file;
    gpa_t start = 0;
    int r;

    /* an empty one has an address of its own, too */
    r = layout_place_low(layout, &room, file->size > 0 ? file->size : 1, "a module", &start, err);
    if (r == 0)
        r = image_file_load(file, 0, memory, start, file->size, err);
    if (r < 0)
        return error_prefix(err, "module '%s'", file->name);
    *ret = (struct module){
        .mod_start = (uint32_t)start,
        .mod_end = (uint32_t)(start + file->size),
    };
    return 0;
}

static int load_modules(const struct image_request *request, struct layout *layout,
                        struct guest_memory *memory, struct module *ret, struct error *err)
{
    gpa_t from = layout_end(layout);
    int r = 0;

    for (size_t i = 0; i < request->module_count && r == 0; i++)
        r = load_module(&request->modules[i], layout, memory, from, &ret[i], err);
    return r;
}

/* In low memory, or else, for a kernel that is there itself, where there is room. */
static int place_info(struct layout *layout, uint64_t size, gpa_t *ret, struct error *err)
{
    const struct layout_room low = { .from = INFO_FROM, .limit = EBDA_START, .align = 16 };
    const struct layout_room any = { .limit = GUEST_HOLE_START, .align = 16 };

    if (layout_place_low(layout, &low, size, "information", ret, NULL) == 0)
        return 0;
    return layout_place_low(layout, &any, size, "information", ret, err);
}

static void write_info(const struct image_request *request, struct module *modules, gpa_t at,
                       struct guest_memory *memory)
{
    struct writer writer = { .memory = memory, .at = at + sizeof(struct info) };
    struct info info = { .flags = INFO_CMDLINE | INFO_MODS | INFO_LOADER_NAME };

    put_memory_map(&writer, &info);
    info.mods_count = (uint32_t)request->module_count;
    for (size_t i = 0; i < request->module_count; i++)
        modules[i].string = put_string(&writer, module_string(&request->modules[i]));
    info.cmdline = put_string(&writer, request->append);
    info.boot_loader_name = put_string(&writer, loader_name);
    info.mods_addr = (uint32_t)writer.at;
    put(&writer, modules, request->module_count * sizeof(*modules));

    writer.at = at;
    put(&writer, &info, sizeof(info));
}

static int load_kernel(const struct image_file *file, struct layout *layout,
                       struct guest_memory *memory, gpa_t *ret_entry, struct error *err)
{
    struct found found;
    int r;

    r = read_header(file, &found, err);
    if (r < 0)
        return r;
    if (found.header.flags & FLAG_ADDRESSES)
        return load_by_addresses(file, &found, layout, memory, ret_entry, err);
    return load_elf(file, layout, memory, ret_entry, err);
}

static int load_multiboot(const struct image_request *request, struct guest_memory *memory,
                          struct boot *ret, struct error *err)
{
    const struct layout_room stack_room = { .limit = GUEST_HOLE_START, .align = STACK_SIZE };
    struct module modules[IMAGE_MODULES_MAX];
    gpa_t entry = 0, info = 0, stack = 0;
    struct layout layout;
    int r;

    layout_init(&layout, memory, request->image.name);
    r = load_kernel(&request->image, &layout, memory, &entry, err);
    if (r == 0)
        r = load_modules(request, &layout, memory, modules, err);
    if (r == 0)
        r = place_info(&layout, info_size(request), &info, err);
    if (r == 0)
        r = layout_place_high(&layout, &stack_room, STACK_SIZE, "a stack", &stack, err);
    if (r < 0)
        return r;
    write_info(request, modules, info, memory);
    *ret = (struct boot){
        .mode = BOOT_PROTECTED,
        .entry = entry,
        .stack = stack + STACK_SIZE,
        .arguments[BOOT_RAX] = LOADER_MAGIC,
        .arguments[BOOT_RBX] = info,
    };
    return 0;
}

const struct image_loader multiboot_loader = {
    .takes = IMAGE_TAKES_APPEND | IMAGE_TAKES_MODULES,
    .kernel = true,
    .recognise = recognise_multiboot,
    .load = load_multiboot,
};

#include "image/x86/formats.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <asm/bootparam.h>

#include "image/image_file.h"
#include "image/layout.h"
#include "image/x86/e820.h"
#include "kvm/x86/boot_registers.h"

/* "boot.rst" is the Linux kernel's Documentation/arch/x86/boot.rst; sections by their titles. */

static_assert(sizeof(struct boot_params) == 4096, "zero-page.rst");
static_assert(offsetof(struct boot_params, e820_entries) == 0x1e8, "zero-page.rst");
static_assert(offsetof(struct boot_params, hdr) == 0x1f1, "zero-page.rst");
static_assert(offsetof(struct boot_params, e820_table) == 0x2d0, "zero-page.rst");
static_assert(offsetof(struct boot_params, hdr.header) == 0x202, "boot.rst");
static_assert(offsetof(struct boot_params, hdr.cmdline_size) == 0x238, "boot.rst");
static_assert(offsetof(struct boot_params, hdr.init_size) == 0x260, "boot.rst");
static_assert(E820_ENTRIES_MAX <= E820_MAX_ENTRIES_ZEROPAGE, "the zero page's table");

enum {
    SECTOR = 512,
    HEADER_OFFSET = 0x1f1,     /* boot.rst, "The Real-Mode Kernel Header" */
    HEADER_END_OFFSET = 0x201, /* a byte: where the header ends, counted from 0x202 */
    HEADER_END_BASE = 0x202,
    HEADER_END_LEAST = 0x23c, /* cmdline_size, which protocol 2.06 has */
    SETUP_SECTS_DEFAULT = 4,  /* where setup_sects is 0 */
    BOOT_FLAG = 0xaa55,
    VERSION_LEAST = 0x0206,      /* has cmdline_size; Linux 2.6.22 */
    VERSION_INIT_SIZE = 0x020a,  /* 2.10: has pref_address and init_size */
    VERSION_XLOADFLAGS = 0x020c, /* 2.12 */
    LOADER_UNDEFINED = 0xff,     /* boot.rst, "type_of_loader": no number assigned */
    VIDEO_MODE_NORMAL = 0xffff,
    ENTRY_64_OFFSET = 0x200, /* boot.rst, "64-bit Boot Protocol" */
    PAGE = 4096,
    SYSSIZE_UNIT = 16,
};

#define HEADER_MAGIC    UINT32_C(0x53726448) /* "HdrS" */
#define LOAD_DEFAULT    UINT64_C(0x100000)   /* boot.rst, "Loading The Rest of The Kernel" */
#define ALIGNMENT_MAX   (UINT32_C(1) << 30)
#define PARAMETERS_FROM UINT64_C(0x10000) /* zero page and command line; the stack is below */

/* The file, taken apart and checked. */
struct kernel {
    const struct image_file *file;
    struct setup_header header; /* what the file's does not reach to is 0 */
    uint64_t offset;            /* of the protected-mode part in the file */
    uint64_t size;              /* of it */
    bool long_mode;
};

static bool recognise_linux(const struct image_probe *probe)
{
    const unsigned char *head = probe->head;

    return probe->size >= 0x206 && head[0x1fe] == 0x55 && head[0x1ff] == 0xaa &&
           memcmp(head + 0x202, "HdrS", 4) == 0;
}

static int check_magic(const char *name, const struct setup_header *header, struct error *err)
{
    if (header->boot_flag != BOOT_FLAG)
        return error_set(err, -ENOEXEC, "'%s' is no bzImage: boot_flag is 0x%04x, not 0xaa55", name,
                         header->boot_flag);
    if (header->header != HEADER_MAGIC)
        return error_set(err, -ENOEXEC,
                         "'%s' is no bzImage: header is 0x%08" PRIx32 ", not 0x53726448 (HdrS)",
                         name, (uint32_t)header->header);
    if (header->version < VERSION_LEAST)
        return error_set(err, -ENOEXEC,
                         "'%s' has boot protocol version %u.%02u; 2.06 (Linux 2.6.22) or later is "
                         "needed",
                         name, header->version >> 8, header->version & 0xffu);
    if (!(header->loadflags & LOADED_HIGH))
        return error_set(err, -ENOEXEC,
                         "'%s' is a zImage: loadflags 0x%02x lack LOADED_HIGH; a bzImage is needed",
                         name, header->loadflags);
    return 0;
}

/* Copies the header of the file as long as it says that it is. */
static int read_header(const struct image_file *file, struct setup_header *ret, struct error *err)
{
    const size_t size_max = sizeof(*ret);
    unsigned char bytes[HEADER_END_BASE + UINT8_MAX];
    size_t end;
    int r;

    /* the boot sector and one of setup at least: as long as any header */
    static_assert(sizeof(bytes) <= 2 * SECTOR, "the header is in the first two sectors");
    r = image_file_read(file, 0, bytes, sizeof(bytes), err);
    if (r < 0)
        return r;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, bytes + HEADER_OFFSET, HEADER_END_LEAST - HEADER_OFFSET);
    r = check_magic(file->name, ret, err);
    if (r < 0)
        return r;

    end = HEADER_END_BASE + (size_t)bytes[HEADER_END_OFFSET];
    if (end < HEADER_END_LEAST)
        return error_set(
            err, -ENOEXEC,
            "'%s': its header ends at offset 0x%zx (jump, at 0x200), before the fields "
            "that version 0x%04x has",
            file->name, end, ret->version);
    memcpy(ret, bytes + HEADER_OFFSET,
           end - HEADER_OFFSET < size_max ? end - HEADER_OFFSET : size_max);
    return 0;
}

static int find_kernel(struct kernel *kernel, struct error *err)
{
    const struct image_file *file = kernel->file;
    unsigned sectors = kernel->header.setup_sects;
    uint64_t said = (uint64_t)kernel->header.syssize * SYSSIZE_UNIT;

    if (sectors == 0)
        sectors = SETUP_SECTS_DEFAULT;
    kernel->offset = ((uint64_t)sectors + 1) * SECTOR;
    if (kernel->offset >= file->size)
        return error_set(err, -ENOEXEC,
                         "'%s' is truncated: after setup_sects, %u sectors, its %" PRIu64
                         " bytes have no kernel",
                         file->name, sectors, file->size);
    kernel->size = file->size - kernel->offset;
    if (said == 0 || said > kernel->size + (SYSSIZE_UNIT - 1))
        return error_set(err, -ENOEXEC,
                         "'%s' is truncated: syssize says %" PRIu64 " bytes of kernel, and it has "
                         "%" PRIu64,
                         file->name, said, kernel->size);
    return 0;
}

static int check_alignment(const struct kernel *kernel, struct error *err)
{
    uint32_t alignment = kernel->header.kernel_alignment;

    if (!kernel->header.relocatable_kernel)
        return 0;
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > ALIGNMENT_MAX)
        return error_set(err, -ENOEXEC,
                         "'%s': kernel_alignment 0x%" PRIx32 " is no power of two up to 0x%" PRIx32,
                         kernel->file->name, alignment, ALIGNMENT_MAX);
    return 0;
}

static int check_long_mode(struct kernel *kernel, struct error *err)
{
    const struct setup_header *header = &kernel->header;

    kernel->long_mode = header->version >= VERSION_XLOADFLAGS && header->xloadflags & XLF_KERNEL_64;
    if (kernel->long_mode && kernel->size <= ENTRY_64_OFFSET)
        return error_set(
            err, -ENOEXEC,
            "'%s': xloadflags 0x%04x say that it has a 64-bit entry, at offset 0x%x of "
            "the %" PRIu64 " bytes of its kernel",
            kernel->file->name, header->xloadflags, ENTRY_64_OFFSET, kernel->size);
    return 0;
}

static int read_kernel(const struct image_file *file, struct kernel *ret, struct error *err)
{
    int r;

    *ret = (struct kernel){ .file = file };
    r = read_header(file, &ret->header, err);
    if (r == 0)
        r = find_kernel(ret, err);
    if (r == 0)
        r = check_alignment(ret, err);
    if (r == 0)
        r = check_long_mode(ret, err);
    return r;
}

/* Where the kernel is put, and what it takes before it looks at the memory map. */
struct extent {
    gpa_t load;
    gpa_t start;
    gpa_t end;
};

/* boot.rst, "pref_address" and "init_size". One that may be moved is put where it prefers to be;
 * one that may not moves itself there from 1 MiB. */
static struct extent find_extent(const struct kernel *kernel)
{
    const struct setup_header *header = &kernel->header;
    bool has_init_size = header->version >= VERSION_INIT_SIZE;
    gpa_t runtime = LOAD_DEFAULT;
    struct extent extent = { .load = LOAD_DEFAULT };

    if (has_init_size && header->pref_address != 0)
        runtime = header->pref_address;
    if (header->relocatable_kernel) {
        runtime = (runtime + header->kernel_alignment - 1) & -(uint64_t)header->kernel_alignment;
        extent.load = runtime;
    }
    extent.start = extent.load;
    extent.end = extent.load + kernel->size;
    if (has_init_size && runtime < extent.start)
        extent.start = runtime;
    if (has_init_size && runtime + header->init_size > extent.end)
        extent.end = runtime + header->init_size;
    return extent;
}

static int load_kernel(const struct kernel *kernel, struct layout *layout,
                       struct guest_memory *memory, gpa_t *ret, struct error *err)
{
    const struct setup_header *header = &kernel->header;
    struct extent extent;
    int r;

    if (header->version >= VERSION_INIT_SIZE && header->pref_address >= GUEST_HOLE_START)
        return error_set(err, -ENOEXEC,
                         "'%s': pref_address 0x%" PRIx64
                         " is above 3 GiB, where no RAM is that it could be entered in",
                         kernel->file->name, (uint64_t)header->pref_address);
    extent = find_extent(kernel);
    r = layout_add(layout, extent.start, extent.end - extent.start, err, "the kernel");
    if (r == 0)
        r = image_file_load(kernel->file, kernel->offset, memory, extent.load, kernel->size, err);
    if (r == 0)
        *ret = extent.load;
    return r;
}

/* boot.rst, "The Kernel Command Line". */
static int load_command_line(const struct kernel *kernel, const char *text, struct layout *layout,
                             struct guest_memory *memory, uint32_t *ret, struct error *err)
{
    const struct layout_room room = { .from = PARAMETERS_FROM, .limit = EBDA_START, .align = 16 };
    const size_t length = strlen(text);
    gpa_t at = 0;
    int r;

    if (length > kernel->header.cmdline_size)
        return error_set_about(err, "append", -EINVAL,
                               "the command line has %zu bytes, and '%s' takes at most %" PRIu32
                               " (cmdline_size)",
                               length, kernel->file->name, (uint32_t)kernel->header.cmdline_size);
    r = layout_place_low(layout, &room, length + 1, "the command line", &at, err);
    if (r < 0)
        return r;
    r = guest_memory_write(memory, at, text, length + 1);
    assert(r == 0);
    *ret = (uint32_t)at;
    return r;
}

/* As high as the kernel allows, out of its way: boot.rst, "initrd_addr_max". */
static int load_initrd(const struct kernel *kernel, const struct image_file *initrd,
                       struct layout *layout, struct guest_memory *memory, uint32_t *ret,
                       struct error *err)
{
    struct layout_room room = {
        .from = HIGH_MEMORY_START,
        .limit = (uint64_t)kernel->header.initrd_addr_max + 1,
        .align = PAGE,
    };
    gpa_t at = 0;
    int r;

    if (room.limit > GUEST_HOLE_START)
        room.limit = GUEST_HOLE_START;
    if (initrd->size == 0)
        return error_set_about(err, "initrd", -EINVAL, "the initrd '%s' is empty", initrd->name);
    r = layout_place_high(layout, &room, initrd->size, "its initrd", &at, err);
    if (r == 0)
        r = image_file_load(initrd, 0, memory, at, initrd->size, err);
    if (r == 0)
        *ret = (uint32_t)at;
    return r;
}

static void fill_memory_map(struct boot_params *params, const struct guest_memory *memory)
{
    struct e820_entry map[E820_ENTRIES_MAX];
    size_t count = e820_fill(memory, map);

    for (size_t i = 0; i < count; i++)
        params->e820_table[i] = (struct boot_e820_entry){
            .addr = map[i].start,
            .size = map[i].size,
            .type = map[i].type,
        };
    params->e820_entries = (uint8_t)count;
}

/* The page that RSI points to: boot.rst, "32-bit Boot Protocol" and "64-bit Boot Protocol". */
static int load_parameters(struct boot_params *params, struct layout *layout,
                           struct guest_memory *memory, gpa_t *ret, struct error *err)
{
    const struct layout_room room = { .from = PARAMETERS_FROM, .limit = EBDA_START, .align = PAGE };
    int r;

    r = layout_place_low(layout, &room, sizeof(*params), "boot parameters", ret, err);
    if (r < 0)
        return r;
    fill_memory_map(params, memory);
    r = guest_memory_write(memory, *ret, params, sizeof(*params));
    assert(r == 0);
    return r;
}

static int load_linux(const struct image_request *request, struct guest_memory *memory,
                      struct boot *ret, struct error *err)
{
    struct boot_params params = { 0 };
    struct setup_header *header = &params.hdr;
    uint32_t command_line = 0, initrd = 0;
    gpa_t load = 0, page = 0;
    struct kernel kernel;
    struct layout layout;
    int r;

    layout_init(&layout, memory, request->image.name);
    r = read_kernel(&request->image, &kernel, err);
    if (r == 0)
        r = load_kernel(&kernel, &layout, memory, &load, err);
    if (r == 0)
        r = load_command_line(&kernel, request->append, &layout, memory, &command_line, err);
    if (r == 0 && request->has_initrd)
        r = load_initrd(&kernel, &request->initrd, &layout, memory, &initrd, err);
    if (r < 0)
        return r;

    *header = kernel.header;
    header->type_of_loader = LOADER_UNDEFINED;
    header->vid_mode = VIDEO_MODE_NORMAL;
    header->code32_start = (uint32_t)load;
    header->cmd_line_ptr = command_line;
    header->ramdisk_image = initrd;
    header->ramdisk_size = request->has_initrd ? (uint32_t)request->initrd.size : 0;
    r = load_parameters(&params, &layout, memory, &page, err);
    if (r == 0)
        *ret = (struct boot){
            .mode = kernel.long_mode ? BOOT_LONG : BOOT_PROTECTED,
            .entry = kernel.long_mode ? load + ENTRY_64_OFFSET : load,
            .stack = PARAMETERS_FROM,
            .arguments[BOOT_RSI] = page,
        };
    return r;
}

const struct image_loader linux_loader = {
    .takes = IMAGE_TAKES_APPEND | IMAGE_TAKES_INITRD,
    .kernel = true,
    .recognise = recognise_linux,
    .load = load_linux,
};

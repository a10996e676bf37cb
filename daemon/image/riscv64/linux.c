#include "image/riscv64/formats.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image/image_file.h"
#include "image/layout.h"

/* The Linux kernel's Documentation/arch/riscv/boot-image-header.rst. */
struct header {
    uint32_t code[2];
    uint64_t text_offset; /* from a multiple of 2 MiB */
    uint64_t image_size;  /* in memory */
    uint64_t flags;
    uint32_t version;
    uint32_t reserved[3];
    uint64_t magic; /* deprecated */
    uint32_t magic2;
    uint32_t reserved2;
};

static_assert(sizeof(struct header) == 64 && offsetof(struct header, magic2) == 56,
              "boot-image-header.rst");

#define MAGIC2          UINT32_C(0x05435352) /* "RSC\x05" */
#define MAGIC2_AT       56
#define FLAG_BIG_ENDIAN UINT64_C(1)
#define ALIGNMENT       UINT64_C(0x200000) /* boot.rst, "Kernel location" */
#define PAGE            UINT64_C(4096)

static bool recognise_linux(const struct image_probe *probe)
{
    return probe->size >= sizeof(struct header) &&
           memcmp(probe->head + MAGIC2_AT, "RSC\x05", 4) == 0;
}

static int read_header(const struct image_file *file, struct header *ret, struct error *err)
{
    int r = image_file_read(file, 0, ret, sizeof(*ret), err);

    if (r < 0)
        return r;
    if (ret->magic2 != MAGIC2)
        return error_set(err, -ENOEXEC,
                         "'%s' is no riscv64 Image: magic2 is 0x%08" PRIx32
                         ", not 0x05435352 (RSC)",
                         file->name, ret->magic2);
    if (ret->flags & FLAG_BIG_ENDIAN)
        return error_set(err, -ENOEXEC, "'%s': flags 0x%" PRIx64 " say that it is big-endian",
                         file->name, ret->flags);
    if (ret->image_size < file->size)
        return error_set(err, -ENOEXEC,
                         "'%s': image_size 0x%" PRIx64 " is less than the file's %" PRIu64 " bytes",
                         file->name, ret->image_size, file->size);
    return 0;
}

static int load_kernel(const struct image_file *file, struct layout *layout,
                       struct guest_memory *memory, gpa_t *ret, struct error *err)
{
    gpa_t base = (memory->base + ALIGNMENT - 1) & -ALIGNMENT;
    struct header header;
    int r;

    r = read_header(file, &header, err);
    if (r < 0)
        return r;
    if (header.text_offset >= memory->size)
        return error_set(err, -ENOEXEC,
                         "'%s': text_offset 0x%" PRIx64 " lies outside of the guest's memory of "
                         "%" PRIu64 " bytes",
                         file->name, header.text_offset, memory->size);
    r = layout_add(layout, base + header.text_offset, header.image_size, err, "the kernel");
    if (r == 0)
        r = image_file_load(file, 0, memory, base + header.text_offset, file->size, err);
    if (r == 0)
        *ret = base + header.text_offset;
    return r;
}

/* As high as it goes, out of the kernel's way. */
static int load_initrd(const struct image_file *initrd, struct layout *layout,
                       struct guest_memory *memory, gpa_t *ret, struct error *err)
{
    const struct layout_room room = {
        .from = memory->base,
        .limit = memory->base + memory->size,
        .align = PAGE,
    };
    int r;

    if (initrd->size == 0)
        return error_set_about(err, "initrd", -EINVAL, "the initrd '%s' is empty", initrd->name);
    r = layout_place_high(layout, &room, initrd->size, "its initrd", ret, err);
    return r < 0 ? r : image_file_load(initrd, 0, memory, *ret, initrd->size, err);
}

/* The command line is the board's to pass on, in the device tree. */
static int load_linux(const struct image_request *request, struct guest_memory *memory,
                      struct boot *ret, struct error *err)
{
    struct boot boot = { .mode = BOOT_SUPERVISOR };
    struct layout layout;
    int r;

    layout_init(&layout, memory, request->image.name);
    r = load_kernel(&request->image, &layout, memory, &boot.entry, err);
    if (r == 0 && request->has_initrd) {
        r = load_initrd(&request->initrd, &layout, memory, &boot.initrd, err);
        boot.initrd_size = request->initrd.size;
    }
    boot.image_end = layout_end(&layout);
    if (r == 0)
        *ret = boot;
    return r;
}

const struct image_loader linux_loader = {
    .takes = IMAGE_TAKES_APPEND | IMAGE_TAKES_INITRD,
    .kernel = true,
    .recognise = recognise_linux,
    .load = load_linux,
};

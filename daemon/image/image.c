#include "image/image.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/arch.h"
#include "image/elf.h"
#include "image/flat.h"
#include "image/image_file.h"
#include "image/loader.h"
#include "kvm/arch.h"
#include "util/cleanup.h"
#include "util/word_list.h"

/* NULL: this architecture has no such format. */
static const struct image_loader *find_loader(enum image_format format)
{
    switch (format) {
    case IMAGE_FLAT:
        return &flat_loader;
    case IMAGE_ELF:
        return &elf_loader;
    case IMAGE_ROM:
    case IMAGE_MULTIBOOT:
    case IMAGE_LINUX:
        return arch_image_loaders[format];
    case IMAGE_AUTO:
        break;
    }
    return NULL;
}

int image_probe_new(const struct image_file *file, struct image_probe **ret, struct error *err)
{
    size_t size = file->size < IMAGE_HEAD_SIZE ? (size_t)file->size : IMAGE_HEAD_SIZE;
    _cleanup_free_ struct image_probe *probe = malloc(sizeof(*probe));
    int r;

    if (!probe)
        return error_set(err, -ENOMEM, "out of memory");
    probe->file = file;
    probe->size = size;
    r = image_file_read(file, 0, probe->head, size, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(probe);
    return 0;
}

/* The formats whose magic the file has, as bits. */
static unsigned find_candidates(const struct image_probe *probe)
{
    unsigned candidates = 0;

    for (unsigned i = 0; i < IMAGE_FORMAT_COUNT; i++) {
        const struct image_loader *loader = find_loader((enum image_format)i);

        if (loader && loader->recognise && loader->recognise(probe))
            candidates |= 1u << i;
    }
    return candidates;
}

static void list_words(unsigned formats, struct word_list *list)
{
    for (unsigned i = 0; i < IMAGE_FORMAT_COUNT; i++)
        if (formats & 1u << i)
            word_list_add(list, "%s", image_format_to_string((enum image_format)i));
}

/* What a disk begins with: 512 bytes or more, whose 511th and 512th are this. */
static bool is_boot_sector(const struct image_probe *probe)
{
    return probe->file->size == 512 && probe->head[510] == 0x55 && probe->head[511] == 0xaa;
}

/* Nothing but flat is left. */
static void note_flat(const struct image_request *request, const struct image_probe *probe,
                      unsigned candidates, struct image_kind *ret)
{
    char text[96] = "";
    struct word_list words = WORD_LIST(text);

    list_words(candidates, &words);
    if (candidates != 0)
        snprintf(ret->note, sizeof(ret->note),
                 "taken as flat, for it may be any of %s; the format can be given", text);
    else if (is_boot_sector(probe) && !request->load_given)
        snprintf(ret->note, sizeof(ret->note),
                 "taken as flat: a boot sector, which expects to be loaded at 0x7c00");
    else if (is_boot_sector(probe))
        snprintf(ret->note, sizeof(ret->note), "taken as flat: a boot sector");
    else
        snprintf(ret->note, sizeof(ret->note), "taken as flat: it has no other format's magic");
}

/* A kernel for another architecture. NULL: it is none. */
static const char *find_foreign(const struct image_probe *probe)
{
    static const struct {
        size_t at;
        char magic[5];
        const char *arch;
    } kernels[] = {
        { 0x202, "HdrS", "x86-64" },    /* Linux, Documentation/arch/x86/boot.rst */
        { 0x38, "RSC\x05", "riscv64" }, /* Documentation/arch/riscv/boot-image-header.rst */
        { 0x38, "ARM\x64", "arm64" },   /* Documentation/arch/arm64/booting.rst */
    };

    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
        if (probe->size >= kernels[i].at + 4 &&
            memcmp(probe->head + kernels[i].at, kernels[i].magic, 4) == 0 &&
            strcmp(kernels[i].arch, arch_name) != 0)
            return kernels[i].arch;
    return NULL;
}

static void choose(const struct image_request *request, const struct image_probe *probe,
                   unsigned candidates, struct image_kind *ret)
{
    /* a Multiboot kernel mostly is an ELF file, which only says where its parts go */
    const unsigned multiboot_elf = 1u << IMAGE_MULTIBOOT | 1u << IMAGE_ELF;

    *ret = (struct image_kind){ .format = IMAGE_FLAT };
    for (unsigned i = 0; i < IMAGE_FORMAT_COUNT; i++)
        if (candidates == 1u << i)
            ret->format = (enum image_format)i;
    if (candidates == multiboot_elf)
        ret->format = IMAGE_MULTIBOOT;

    if (ret->format == IMAGE_FLAT)
        note_flat(request, probe, candidates, ret);
    else
        snprintf(ret->note, sizeof(ret->note), "recognised as %s%s",
                 image_format_to_string(ret->format),
                 candidates == multiboot_elf ? ", by the header in an ELF file" : "");
    ret->kernel = find_loader(ret->format)->kernel;
}

/* Of a format that was given. */
static int check_format(enum image_format format, const struct image_loader **ret,
                        struct error *err)
{
    *ret = find_loader(format);
    if (!*ret)
        return error_set_about(err, "format", -EINVAL, "there is no format '%s' for %s guests",
                               image_format_to_string(format), arch_name);
    return 0;
}

int image_recognise(const struct image_request *request, struct image_kind *ret, struct error *err)
{
    const struct image_loader *loader;
    _cleanup_free_ struct image_probe *probe = NULL;
    const char *foreign;
    unsigned candidates;
    int r;

    if (request->format != IMAGE_AUTO) {
        r = check_format(request->format, &loader, err);
        if (r == 0)
            *ret = (struct image_kind){ .format = request->format, .kernel = loader->kernel };
        return r;
    }
    r = image_probe_new(&request->image, &probe, err);
    if (r < 0)
        return r;
    candidates = find_candidates(probe);
    foreign = candidates == 0 ? find_foreign(probe) : NULL;
    if (foreign)
        return error_set(err, -ENOEXEC, "'%s' is a Linux kernel for %s; this host runs %s guests",
                         request->image.name, foreign, arch_name);
    choose(request, probe, candidates, ret);
    return 0;
}

/* Refuses a parameter that the format has no use for. */
static int check_parameter(enum image_format format, unsigned parameter, const char *name,
                           struct error *err)
{
    unsigned takers = 0;
    char text[96] = "";
    struct word_list words = WORD_LIST(text);

    if (find_loader(format)->takes & parameter)
        return 0;
    for (unsigned i = 0; i < IMAGE_FORMAT_COUNT; i++) {
        const struct image_loader *loader = find_loader((enum image_format)i);

        if (loader && loader->takes & parameter)
            takers |= 1u << i;
    }
    list_words(takers, &words);
    return error_set_about(err, name, -EINVAL, "'%s' does not go with format %s; it is for %s",
                           name, image_format_to_string(format), text);
}

static int check_parameters(const struct image_request *request, enum image_format format,
                            struct error *err)
{
    const struct {
        bool given;
        unsigned parameter;
        const char *name;
    } rows[] = {
        { request->mode_given, IMAGE_TAKES_MODE, "mode" },
        { request->load_given, IMAGE_TAKES_LOAD, "load" },
        { request->entry_given, IMAGE_TAKES_ENTRY, "entry" },
        { request->append[0] != '\0', IMAGE_TAKES_APPEND, "append" },
        { request->has_initrd, IMAGE_TAKES_INITRD, "initrd" },
        { request->module_count > 0, IMAGE_TAKES_MODULES, "modules" },
    };
    int r = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && r == 0; i++)
        if (rows[i].given)
            r = check_parameter(format, rows[i].parameter, rows[i].name, err);
    if (r == 0 && request->module_count > IMAGE_MODULES_MAX)
        r = error_set_about(err, "modules", -EINVAL,
                            "%zu modules are more than the %d there may be", request->module_count,
                            IMAGE_MODULES_MAX);
    return r;
}

int image_load(const struct image_request *request, enum image_format format,
               struct guest_memory *memory, struct boot *ret, struct error *err)
{
    const struct image_loader *loader;
    int r;

    r = check_format(format, &loader, err);
    if (r == 0)
        r = check_parameters(request, format, err);
    if (r == 0)
        r = loader->load(request, memory, ret, err);
    return r;
}

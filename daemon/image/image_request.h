/*
 * Image request: what a start asked for, as the loaders are handed it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "image/image_file.h"
#include "kvm/guest_memory.h"
#include "shared/definition.h"

enum { IMAGE_MODULES_MAX = 32 };

/* A file that is handed to the guest beside its image. */
struct image_module {
    struct image_file file;
    const char *arguments; /* never NULL */
};

/* What a start asked for. */
struct image_request {
    enum image_format format;
    struct image_file image;
    bool mode_given;
    enum boot_mode mode;
    bool load_given;
    gpa_t load;
    bool entry_given;
    gpa_t entry;
    const char *append; /* command line, never NULL */
    bool has_initrd;
    struct image_file initrd;
    const struct image_module *modules;
    size_t module_count;
};

/*
 * Loader: what each format provides to image_recognise() and image_load().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "image/image_request.h"
#include "kvm/boot.h"
#include "kvm/guest_memory.h"
#include "util/error.h"

/* Parameters that a format may have a use for, as bits. */
enum {
    IMAGE_TAKES_MODE = 1 << 0,
    IMAGE_TAKES_LOAD = 1 << 1,
    IMAGE_TAKES_ENTRY = 1 << 2,
    IMAGE_TAKES_APPEND = 1 << 3,
    IMAGE_TAKES_INITRD = 1 << 4,
    IMAGE_TAKES_MODULES = 1 << 5,
};

enum { IMAGE_HEAD_SIZE = 8192 }; /* a Multiboot header must be within: specification, section 3.1 */

/* What is looked at to recognise a format. */
struct image_probe {
    const struct image_file *file;
    size_t size; /* of head: less than IMAGE_HEAD_SIZE if the file is */
    unsigned char head[IMAGE_HEAD_SIZE];
};

/* Reads it; freed by free(3). Not on the stack: what a guest's thread has touched of that once
 * stays with it for its life. Errors: -ENOMEM, what image_file_read() says. */
int image_probe_new(const struct image_file *file, struct image_probe **ret, struct error *err);

struct image_loader {
    unsigned takes; /* IMAGE_TAKES_... */
    bool kernel;    /* see struct image_kind */

    /* NULL: it has no magic. */
    bool (*recognise)(const struct image_probe *probe);
    int (*load)(const struct image_request *request, struct guest_memory *memory, struct boot *ret,
                struct error *err);
};

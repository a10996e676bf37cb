/*
 * Sources: the files that a VM's config names, opened and checked to be files, as image loaders
 * want them.
 *
 * All functions: the VM's thread.
 */
#pragma once

#include "image/image.h"
#include "vm/vm.h"

enum { SOURCES_MAX = 2 + VM_MODULES_MAX, SOURCE_NAME_SIZE = 80 };

struct sources {
    struct image_request request;
    struct image_module modules[VM_MODULES_MAX];
    int opened[SOURCES_MAX]; /* files of the image directory */
    size_t opened_count;
    char names[SOURCES_MAX][SOURCE_NAME_SIZE]; /* a client's: escaped, for sentences and the log */
    size_t name_count;
};

/* config must outlive the sources. Errors: -ENOEXEC; to be closed all the same. */
int sources_open(struct sources *sources, const struct vm_config *config, struct error *err);
void sources_close(struct sources *sources);

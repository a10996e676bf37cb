/*
 * Reading the files that a guest is made from. All functions: the VM's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/guest_memory.h"
#include "util/error.h"

/* An open file; whoever made this closes it. */
struct image_file {
    int fd; /* a regular file, read with pread(2) alone */
    uint64_t size;
    const char *name; /* for sentences, escaped already */
};

/* Reads size bytes from offset on. Errors: -ENOEXEC (the file is shorter, or cannot be read). */
int image_file_read(const struct image_file *file, uint64_t offset, void *data, size_t size,
                    struct error *err);

/* The same, to guest memory that is known to be there. */
int image_file_load(const struct image_file *file, uint64_t offset, struct guest_memory *memory,
                    gpa_t address, uint64_t size, struct error *err);

/* Whether the file has size bytes from offset on. */
bool image_file_holds(const struct image_file *file, uint64_t offset, uint64_t size);

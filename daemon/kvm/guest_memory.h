/*
 * Guest memory: the guest's RAM, mapped here, shared with nobody but KVM.
 *
 * Everything a guest hands over is hostile. Its addresses stay gpa_t; these two functions are the
 * one place where range and overflow are checked, in 64-bit arithmetic. What they copy out is read
 * once: validate the copy.
 *
 * All functions: the VM's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

typedef uint64_t gpa_t; /* a guest physical address */

struct guest_memory {
    unsigned char *host; /* NULL: none */
    gpa_t base;
    uint64_t size; /* bytes, whole pages */
};

/* Reserves size bytes (whole pages) at base; the host spends memory only on pages that are touched.
 * Errors: -ENOMEM. */
int guest_memory_init(struct guest_memory *memory, gpa_t base, uint64_t size, struct error *err);
void guest_memory_deinit(struct guest_memory *memory);

/* Whether [address, address + size) is RAM. */
bool guest_memory_holds(const struct guest_memory *memory, gpa_t address, uint64_t size);

/* Copy between the guest and data. Errors: -EFAULT, nothing was copied. */
int guest_memory_read(const struct guest_memory *memory, gpa_t address, void *data, size_t size);
int guest_memory_write(struct guest_memory *memory, gpa_t address, const void *data, size_t size);

/* Reads size bytes of a file, from offset on, into the guest. Errors: -EFAULT (not all RAM),
 * -ENODATA (the file is shorter), and what pread(2) says. */
int guest_memory_load(struct guest_memory *memory, gpa_t address, int fd, uint64_t offset,
                      uint64_t size);

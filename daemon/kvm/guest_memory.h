/*
 * Guest memory: what the guest finds at its physical addresses, RAM and ROM, mapped here, shared
 * with nobody but KVM.
 *
 * Everything a guest hands over is hostile. Its addresses stay gpa_t; these functions are the one
 * place where range and overflow are checked, in 64-bit arithmetic. What they copy out is read
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

/* RAM that begins at 0 is a PC's: it leaves this to devices and ROMs, and goes on after it. */
#define GUEST_HOLE_START UINT64_C(0xc0000000)
#define GUEST_HOLE_END   UINT64_C(0x100000000)

/* What KVM is told of with one KVM_SET_USER_MEMORY_REGION. */
struct guest_region {
    unsigned char *host;
    gpa_t base;
    uint64_t size; /* bytes, whole pages */
    bool readonly; /* for the guest */
};

/* RAM below and above the hole, a ROM, and one to spare. */
enum { GUEST_REGIONS_MAX = 4 };

struct guest_memory {
    gpa_t base;                                     /* where RAM begins */
    uint64_t size;                                  /* bytes of RAM, whole pages */
    struct guest_region regions[GUEST_REGIONS_MAX]; /* no two overlap; the first begins at base */
    size_t region_count;
};

/* Reserves size bytes (whole pages) of RAM from base on; the host spends memory only on pages that
 * are touched. Errors: -ENOMEM. */
int guest_memory_init(struct guest_memory *memory, gpa_t base, uint64_t size, struct error *err);
void guest_memory_deinit(struct guest_memory *memory);

/*
 * Adds size bytes (whole pages) that the guest can only read, filled by guest_memory_write() and
 * guest_memory_load() before it runs. Errors: -EINVAL (not whole pages, wraps, or there is memory
 * already), -ENOSPC (GUEST_REGIONS_MAX), -ENOMEM.
 */
int guest_memory_add_rom(struct guest_memory *memory, gpa_t base, uint64_t size, struct error *err);

/* The same, but for what the guest's CPU has to find made, its page tables, which it may write. */
int guest_memory_add_tables(struct guest_memory *memory, gpa_t base, uint64_t size,
                            struct error *err);

/* A word that the guest and the VMM use at once: to be read and written whole, by atomic
 * operations, and never trusted twice. NULL: it is not memory, or not aligned. Valid until
 * guest_memory_deinit().
 */
uint32_t *guest_memory_word(const struct guest_memory *memory, gpa_t address);

/* Whether [address, address + size) lies within one region. */
bool guest_memory_holds(const struct guest_memory *memory, gpa_t address, uint64_t size);

/* Copy between the guest and data. Errors: -EFAULT, nothing was copied. */
int guest_memory_read(const struct guest_memory *memory, gpa_t address, void *data, size_t size);
int guest_memory_write(struct guest_memory *memory, gpa_t address, const void *data, size_t size);

/* Reads size bytes of a file, from offset on, into the guest. Errors: -EFAULT (not all memory),
 * -ENODATA (the file is shorter), and what pread(2) says. */
int guest_memory_load(struct guest_memory *memory, gpa_t address, int fd, uint64_t offset,
                      uint64_t size);

/*
 * What each architecture provides to the image loaders; one folder each (x86/, riscv64/).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "image/layout.h"
#include "image/loader.h"
#include "kvm/boot.h"

/* A way to enter a flat image. */
struct image_mode {
    enum boot_mode mode;
    uint64_t reach; /* the first address that the CPU cannot execute from as it enters */
};

/* The first is the one where the request names none. */
extern const struct image_mode arch_image_modes[];
extern const size_t arch_image_mode_count;

/* An ELF file that can run here, e_machine and EI_CLASS, and how it is entered. */
struct elf_target {
    uint16_t machine;
    unsigned char class;
    enum boot_mode mode;
    uint64_t reach; /* as of struct image_mode */
};

extern const struct elf_target arch_elf_targets[];
extern const size_t arch_elf_target_count;

/* RAM that firmware's tables live in, up to LAYOUT_RESERVED_MAX ranges: a file may say that it
 * wants to be there, but nothing is put there unasked. Returns how many. */
size_t arch_reserve(const struct guest_memory *memory, struct layout_range *ret);

/* Where a flat image goes that the request gives no address. */
extern const gpa_t arch_flat_load;

/* Where the stack of a flat image at [load, end) begins. */
gpa_t arch_flat_stack(const struct guest_memory *memory, gpa_t load, gpa_t end);

/* The formats that this architecture adds; NULL: it has no such format. */
extern const struct image_loader *const arch_image_loaders[IMAGE_FORMAT_COUNT];

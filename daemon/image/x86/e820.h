/*
 * E820: the memory map as a PC's BIOS tells it (Linux's Documentation/arch/x86/zero-page.rst,
 * Multiboot Specification section 3.3, "mmap_addr").
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kvm/guest_memory.h"

/* From here up to 1 MiB the guest is told of no RAM, though there is some: a PC has its extended
 * BIOS data area there, video memory, and ROMs. */
#define EBDA_START        UINT64_C(0x9fc00)
#define HIGH_MEMORY_START UINT64_C(0x100000)

enum e820_type {
    E820_RAM = 1,
    E820_RESERVED = 2,
};

struct e820_entry {
    gpa_t start;
    uint64_t size;
    enum e820_type type;
};

/* RAM below the BIOS area, that area, and a row for every region from 1 MiB on. */
enum { E820_ENTRIES_MAX = 2 + GUEST_REGIONS_MAX };

/* Fills in ascending order; returns how many. */
size_t e820_fill(const struct guest_memory *memory, struct e820_entry ret[E820_ENTRIES_MAX]);

/*
 * Device tree: how a riscv64 kernel learns what the machine has (Devicetree Specification 0.4; for
 * what Linux expects of each node, its Documentation/devicetree/bindings).
 */
#pragma once

#include <stdint.h>

#include "kvm/guest_memory.h"
#include "kvm/riscv64/boot_registers.h"
#include "util/error.h"

enum { DEVICE_TREE_SIZE_MAX = BOOT_TREE_ROOM };

/* What is told beside the board's devices, which are always the same. */
struct device_tree {
    uint64_t memory_base;
    uint64_t memory_size;
    unsigned harts;
    uint64_t timebase_hz;     /* of the time CSR */
    const char *isa;          /* "rv64imafdc_zba" */
    const char *mmu;          /* "riscv,sv39" */
    const char *command_line; /* never NULL */
    gpa_t initrd;
    uint64_t initrd_size;      /* 0: none */
    const unsigned char *seed; /* for the kernel's random numbers; NULL: none */
    size_t seed_size;
};

/* Builds the tree in ret, of DEVICE_TREE_SIZE_MAX bytes. Errors: -ENOEXEC (what it tells is too
 * long). */
int device_tree_build(const struct device_tree *tree, void *ret, struct error *err);

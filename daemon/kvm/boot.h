/*
 * Boot: how the vCPU stands when the guest's first instruction runs. An image loader fills it in,
 * the architecture carries it out.
 */
#pragma once

#include "kvm/guest_memory.h"

enum boot_mode {
    BOOT_REAL,       /* x86: 16-bit real mode, all segments 0 */
    BOOT_PROTECTED,  /* x86: 32-bit, flat segments of 4 GiB, paging off, A20 on, interrupts off */
    BOOT_LONG,       /* x86: 64-bit, the first 4 GiB mapped to themselves, interrupts off */
    BOOT_RESET,      /* x86: as after a reset, at F000:FFF0, which is just below 4 GiB */
    BOOT_SUPERVISOR, /* riscv64: paging and interrupts off */
};

enum { BOOT_ARGUMENTS = 3 };

struct boot {
    enum boot_mode mode;
    gpa_t entry; /* not for BOOT_RESET, which has its own */
    gpa_t stack; /* grows down from here */

    /* the first address after what the image has in memory, zeros included; 0: nobody needs to know
     */
    gpa_t image_end;

    /* what some formats hand over, in registers that the architecture names; 0 else */
    uint64_t arguments[BOOT_ARGUMENTS];

    /* where the board's device tree is to say that an initrd is; size 0: there is none to tell of
     */
    gpa_t initrd;
    uint64_t initrd_size;
};

/* The word of the wire and of records: "real". */
const char *boot_mode_to_string(enum boot_mode mode);

/*
 * Boot: how the vCPU stands when the guest's first instruction runs. An image loader fills it in,
 * the architecture carries it out.
 */
#pragma once

#include "kvm/guest_memory.h"
#include "shared/definition.h"

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

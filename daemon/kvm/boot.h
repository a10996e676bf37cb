/*
 * Boot: how the vCPU stands when the guest's first instruction runs. An image loader fills it in,
 * the architecture carries it out.
 */
#pragma once

#include "kvm/guest_memory.h"

enum boot_mode {
    BOOT_REAL, /* x86: 16-bit real mode, all segments 0 */
};

struct boot {
    enum boot_mode mode;
    gpa_t entry;
    gpa_t stack; /* grows down from here */
};

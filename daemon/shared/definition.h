/*
 * Definition: the words in which a start says what is to be made, and records what was made.
 */
#pragma once

enum image_format {
    IMAGE_AUTO, /* what image_recognise() finds */
    IMAGE_FLAT,
    IMAGE_ROM,
    IMAGE_MULTIBOOT,
    IMAGE_ELF,
    IMAGE_LINUX,
};

enum { IMAGE_FORMAT_COUNT = IMAGE_LINUX + 1 };

/* How the vCPU stands when the guest's first instruction runs. */
enum boot_mode {
    BOOT_REAL,       /* x86: 16-bit real mode, all segments 0 */
    BOOT_PROTECTED,  /* x86: 32-bit, flat segments of 4 GiB, paging off, A20 on, interrupts off */
    BOOT_LONG,       /* x86: 64-bit, the first 4 GiB mapped to themselves, interrupts off */
    BOOT_RESET,      /* x86: as after a reset, at F000:FFF0, which is just below 4 GiB */
    BOOT_SUPERVISOR, /* riscv64: paging and interrupts off */
};

enum { BOOT_MODE_COUNT = BOOT_SUPERVISOR + 1 };

/* What is around the guest's CPU. */
enum board_kind {
    BOARD_BARE, /* what a guest needs to print, to read and to end; no interrupt controller */
    BOARD_PC,   /* x86: what kernels expect around them */
    BOARD_VIRT, /* riscv64: likewise */
};

enum { BOARD_KIND_COUNT = BOARD_VIRT + 1 };

enum {
    DEFINITION_MODULES_MAX = 14, /* with image and initrd, as many as there may be descriptors */
    DEFINITION_CPUS_MAX = 16,
};

/* The words of the wire and of records: "flat", "real", "bare". Any thread. */
const char *image_format_to_string(enum image_format format);
const char *boot_mode_to_string(enum boot_mode mode);
const char *board_kind_to_string(enum board_kind kind);

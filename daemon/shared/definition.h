/*
 * Definition: what a start asks to be made. The daemon fills it in and holds it against the limits;
 * the worker keeps it as long as the VM.
 *
 * It has two parts. The numbers go into messages as they are. The texts go as a block, one after
 * the other, each ended by a NUL.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

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

/* Bits of what was given, and need not be. */
enum definition_flags {
    DEFINITION_MODE = 1,
    DEFINITION_LOAD = 2,
    DEFINITION_ENTRY = 4,
    DEFINITION_BOARD = 8, /* else what guests of the image's format expect */
    DEFINITION_INITRD = 16,
    DEFINITION_COALESCE = 32,
};

struct definition {
    uint32_t flags;  /* enum definition_flags */
    uint32_t format; /* enum image_format */
    uint32_t mode;   /* enum boot_mode */
    uint32_t board;  /* enum board_kind */
    uint32_t cpus;
    uint32_t module_count;
    uint64_t load; /* guest physical addresses */
    uint64_t entry;
    uint64_t memory_bytes;        /* whole pages */
    uint64_t kernel_memory_bytes; /* of a guest that is no flat image and no ROM; whole pages */
    uint64_t ring_capacity;       /* bytes, a power of two */
    uint64_t timeout_ms;          /* 0: none */
};

static_assert(sizeof(struct definition) == 6 * 4 + 6 * 8, "wire between versions: it only grows");

/* The files that a guest is made of, in the order in which they are passed on: the image; the
 * initrd, if there is one; the modules. */
enum { DEFINITION_SOURCES_MAX = 2 + DEFINITION_MODULES_MAX };

/* How many. Of a definition that was checked. Any thread. */
size_t definition_source_count(const struct definition *definition);

/* The texts, in this order: the command line; of each source its name, then its arguments. */
enum { DEFINITION_TEXTS_MAX = 1 + 2 * DEFINITION_SOURCES_MAX };

/* NUL included, all of them: as much as a message holds. */
enum { DEFINITION_TEXTS_SIZE_MAX = 64 * 1024 };

struct definition_texts {
    const char *append; /* command line; "": none */
    struct {
        const char *name;      /* for people, as given */
        const char *arguments; /* of a module; "": none */
    } sources[DEFINITION_SOURCES_MAX];
};

/* Whether every number is in its range. Any thread. */
int definition_check(const struct definition *definition);

/* Puts the texts of a checked definition into a block of size bytes. Errors: -E2BIG (they have more
 * than that). */
int definition_pack(const struct definition *definition, const struct definition_texts *texts,
                    char *block, size_t size, size_t *ret_size);

/* Finds them in such a block, to which *ret points. Errors: -EBADMSG (it is none). */
int definition_unpack(const struct definition *definition, const char *block, size_t size,
                      struct definition_texts *ret);

/* The words of the wire and of records: "flat", "real", "bare". Any thread. */
const char *image_format_to_string(enum image_format format);
const char *boot_mode_to_string(enum boot_mode mode);
const char *board_kind_to_string(enum board_kind kind);

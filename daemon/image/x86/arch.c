/*
 * x86: what image loaders are to know of it.
 */
#include "image/arch.h"

#define GIB_4 UINT64_C(0x100000000) /* protected mode's addresses, and long mode's page tables */

const struct image_mode arch_image_modes[] = {
    { BOOT_REAL, "real", 0x10000 }, /* IP has 16 bits, and CS is 0 */
    { BOOT_PROTECTED, "protected", GIB_4 },
    { BOOT_LONG, "long", GIB_4 },
};
const size_t arch_image_mode_count = sizeof(arch_image_modes) / sizeof(arch_image_modes[0]);

/* The real mode's interrupt vectors and BIOS data, which guests may look at; and, up to 1 MiB, the
 * extended BIOS data, video memory and ROMs of a PC. */
const struct layout_range arch_reserved[] = {
    { 0, 0x1000, "the BIOS data area" },
    { 0x9fc00, 0x60400, "the BIOS area" },
};
const size_t arch_reserved_count = sizeof(arch_reserved) / sizeof(arch_reserved[0]);

const struct image_loader *const arch_image_loaders[IMAGE_FORMAT_COUNT] = { 0 };

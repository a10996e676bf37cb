/*
 * x86: what image loaders are to know of it.
 */
#include "image/arch.h"

#include <elf.h>

#include "guests/x86/board.h"
#include "image/x86/e820.h"
#include "image/x86/formats.h"

#define GIB_4 UINT64_C(0x100000000) /* protected mode's addresses, and long mode's page tables */

const struct image_mode arch_image_modes[] = {
    { BOOT_REAL, 0x10000 }, /* IP has 16 bits, and CS is 0 */
    { BOOT_PROTECTED, GIB_4 },
    { BOOT_LONG, GIB_4 },
};
const size_t arch_image_mode_count = sizeof(arch_image_modes) / sizeof(arch_image_modes[0]);

const struct elf_target arch_elf_targets[] = {
    { EM_386, ELFCLASS32, BOOT_PROTECTED, GIB_4 },
    { EM_X86_64, ELFCLASS64, BOOT_LONG, GIB_4 },
};
const size_t arch_elf_target_count = sizeof(arch_elf_targets) / sizeof(arch_elf_targets[0]);

/* The real mode's interrupt vectors and BIOS data, which guests may look at; and what e820.h says
 * is not RAM. */
size_t arch_reserve(const struct guest_memory *memory, struct layout_range *ret)
{
    (void)memory;
    ret[0] = (struct layout_range){ 0, 0x1000, "the BIOS data area" };
    ret[1] = (struct layout_range){ EBDA_START, HIGH_MEMORY_START - EBDA_START, "the BIOS area" };
    return 2;
}

const gpa_t arch_flat_load = GUEST_LOAD_ADDRESS;

/* It grows away from the image. */
gpa_t arch_flat_stack(const struct guest_memory *memory, gpa_t load, gpa_t end)
{
    (void)memory, (void)end;
    return load;
}

const struct image_loader *const arch_image_loaders[IMAGE_FORMAT_COUNT] = {
    [IMAGE_ROM] = &rom_loader,
    [IMAGE_MULTIBOOT] = &multiboot_loader,
    [IMAGE_LINUX] = &linux_loader,
};

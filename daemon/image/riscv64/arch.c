/*
 * riscv64: what image loaders are to know of it.
 */
#include "image/arch.h"

#include <elf.h>

#include "guests/riscv64/board.h"
#include "image/riscv64/formats.h"
#include "kvm/riscv64/boot_registers.h"

const struct image_mode arch_image_modes[] = { { BOOT_SUPERVISOR, UINT64_MAX } };
const size_t arch_image_mode_count = sizeof(arch_image_modes) / sizeof(arch_image_modes[0]);

const struct elf_target arch_elf_targets[] = {
    { EM_RISCV, ELFCLASS64, BOOT_SUPERVISOR, UINT64_MAX },
};
const size_t arch_elf_target_count = sizeof(arch_elf_targets) / sizeof(arch_elf_targets[0]);

static gpa_t device_tree_start(const struct guest_memory *memory)
{
    return memory->base + memory->size - BOOT_TREE_ROOM;
}

size_t arch_reserve(const struct guest_memory *memory, struct layout_range *ret)
{
    ret[0] = (struct layout_range){ device_tree_start(memory), BOOT_TREE_ROOM, "the device tree" };
    return 1;
}

const gpa_t arch_flat_load = GUEST_MEMORY_BASE;

/* The image begins where memory does: nothing is below it. One that goes up to where the device
 * tree would be can be on no board that has one. */
gpa_t arch_flat_stack(const struct guest_memory *memory, gpa_t load, gpa_t end)
{
    (void)load;
    return end <= device_tree_start(memory) ? device_tree_start(memory)
                                            : memory->base + memory->size;
}

const struct image_loader *const arch_image_loaders[IMAGE_FORMAT_COUNT] = {
    [IMAGE_LINUX] = &linux_loader,
};

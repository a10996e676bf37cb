/*
 * The image formats that x86 adds to those of image/.
 */
#pragma once

#include "image/loader.h"

/*
 * BIOS: up to 256 KiB that end at 1 MiB, in RAM, and are seen below 4 GiB too, where the reset
 * vector is (Intel SDM vol. 3A, "First Instruction Executed").
 */
extern const struct image_loader rom_loader;

/*
 * A kernel for Multiboot 1: Multiboot Specification 0.6.96. It is an ELF file, of 32 or (as GRUB
 * has it) 64 bits, or has its addresses in its header. Always entered in protected mode.
 */
extern const struct image_loader multiboot_loader;

/*
 * A bzImage: the Linux kernel's Documentation/arch/x86/boot.rst, protocol 2.06 or later. Entered in
 * long mode where it can be, else in protected mode; its real-mode part is not run.
 */
extern const struct image_loader linux_loader;

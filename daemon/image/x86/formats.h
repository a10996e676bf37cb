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

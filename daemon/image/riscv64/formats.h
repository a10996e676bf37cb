/*
 * The image formats that riscv64 adds to those of image/.
 */
#pragma once

#include "image/loader.h"

/* A kernel: the Linux kernel's Documentation/arch/riscv/boot-image-header.rst. */
extern const struct image_loader linux_loader;

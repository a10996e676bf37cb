/*
 * The registers in which riscv64 guests find what their boot protocol hands over: the hart's id,
 * and the address of the device tree (Linux, Documentation/arch/riscv/boot.rst).
 */
#pragma once

/* Indices of struct boot's arguments. */
enum { BOOT_A0, BOOT_A1 };

/* Bytes at the end of memory that are the device tree's. */
enum { BOOT_TREE_ROOM = 0x10000 };

/*
 * The registers in which riscv64 guests find what their boot protocol hands over: the hart's id,
 * and the address of the device tree (Linux, Documentation/arch/riscv/boot.rst).
 */
#pragma once

/* Indices of struct boot's arguments. */
enum { BOOT_A0, BOOT_A1 };

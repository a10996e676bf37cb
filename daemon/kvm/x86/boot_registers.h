/*
 * The registers in which x86 guests find what their boot protocol hands over.
 */
#pragma once

/* Indices of struct boot's arguments. */
enum { BOOT_RAX, BOOT_RBX, BOOT_RSI };

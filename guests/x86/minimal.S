/*
 * minimal: the shortest guest. It prints nothing and ends.
 *
 * Exits: 1 (HLT).
 */
    .code16
    .globl _start, guest_size
    .set guest_size, 1

_start:
    hlt

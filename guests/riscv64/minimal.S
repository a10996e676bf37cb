/*
 * minimal: the shortest guest. It prints nothing and ends.
 *
 * Exits: 1 (the finisher).
 */
#include "guests/riscv64/finish.inc"

    .globl _start

_start:
    finish

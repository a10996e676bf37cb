/*
 * exitcode: prints nothing and ends with code 42, which `vmmctl run` passes on:
 *
 *   vmmctl run build/guests/exitcode.bin; echo $?
 *
 * Exits: 1 (HC_EXIT_CODE).
 */
#include "guests/riscv64/hypercall.inc"

    .globl _start

_start:
    li a0, 42
    hypercall HC_EXIT_CODE

/*
 * exitcode: prints nothing and ends with code 42, which `vmmctl run` passes on:
 *
 *   vmmctl run build/guests/exitcode.bin; echo $?
 *
 * Exits: 1 (HC_EXIT_CODE).
 */
#include "guests/x86/hypercall.inc"

    .code16
    .globl _start

_start:
    mov $42, %bl
    hypercall HC_EXIT_CODE

/*
 * hctest: prints "Hello!\n42\n1234\n" through the hypercalls 0x00 to 0x03, each a subroutine.
 *
 * Exits: 12 (6 HC_PUTCHAR, 2 HC_PUTNUM, 3 HC_NEWLINE, HC_EXIT).
 */
#include "guests/riscv64/hypercall.inc"

    .globl _start

_start:
    li a0, 'H'
    call putchar
    li a0, 'e'
    call putchar
    li a0, 'l'
    call putchar
    li a0, 'l'
    call putchar
    li a0, 'o'
    call putchar
    li a0, '!'
    call putchar
    call newline

    li a0, 42
    call putnum
    call newline

    li a0, 1234
    call putnum
    call newline

    hypercall HC_EXIT

putchar:
    hypercall HC_PUTCHAR
    ret

putnum:
    hypercall HC_PUTNUM
    ret

newline:
    hypercall HC_NEWLINE
    ret

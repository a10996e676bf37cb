/*
 * hctest: prints "Hello!\n42\n1234\n" through the hypercalls 0x00 to 0x03, each a subroutine.
 *
 * Exits: 12 (6 HC_PUTCHAR, 2 HC_PUTNUM, 3 HC_NEWLINE, HC_EXIT).
 */
#include "guests/x86/hypercall.inc"

    .code16
    .globl _start, guest_size
    .set guest_size, 79

_start:
    mov $'H', %bl
    call putchar
    mov $'e', %bl
    call putchar
    mov $'l', %bl
    call putchar
    mov $'l', %bl
    call putchar
    mov $'o', %bl
    call putchar
    mov $'!', %bl
    call putchar
    call newline

    mov $42, %bx
    call putnum
    call newline

    mov $1234, %bx
    call putnum
    call newline

    hypercall HC_EXIT
    hlt                         /* not reached where HC_EXIT works */

putchar:
    hypercall HC_PUTCHAR
    ret

putnum:
    hypercall HC_PUTNUM
    ret

newline:
    hypercall HC_NEWLINE
    ret

/*
 * multiplication: prints the times tables 2 to 9, "2 x 1 = 2" to "9 x 9 = 81", 72 lines, all
 * through hypercalls.
 *
 * Exits: 721 (10 hypercalls a line, HLT).
 */
#include "guests/x86/hypercall.inc"

    .code16
    .globl _start

.macro putchar character
    mov $\character, %bl
    hypercall HC_PUTCHAR
.endm

.macro putnum register
    mov \register, %bx
    hypercall HC_PUTNUM
.endm

_start:
    mov $2, %si                 /* which table */
table:
    mov $1, %di                 /* which line of it */
line:
    putnum %si
    putchar ' '
    putchar 'x'
    putchar ' '
    putnum %di
    putchar ' '
    putchar '='
    putchar ' '
    mov %si, %ax
    mul %di                     /* DX:AX = AX * DI; hypercall sets DX anew */
    putnum %ax
    hypercall HC_NEWLINE

    inc %di
    cmp $9, %di
    jbe line

    inc %si
    cmp $9, %si
    jbe table
    hlt

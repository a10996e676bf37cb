/*
 * multiplication-write: the times tables of multiplication, by one HC_WRITE a line.
 *
 * Exits: 73 (72 HC_WRITE, HLT).
 */
#include "guests/x86/hypercall.inc"

    .code16
    .globl _start

_start:
    mov $buffer, %di            /* where the next byte goes */
    call times_tables
    hlt

put:
    stosb                       /* AL to ES:DI, DI + 1 */
    ret

end_line:
    mov $buffer, %si
    mov %di, %cx
    sub %si, %cx
    hypercall HC_WRITE          /* takes all of something as short as a line */
    mov %si, %di
    ret

#include "guests/x86/times_tables.inc"

    .bss
buffer:
    .skip 16                    /* "9 x 9 = 81\n" has 11 */

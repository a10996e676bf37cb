/*
 * counter: prints 0123456789 through the UART, from a number in a register.
 *
 * Exits: 11 (10 digits, HLT), when the monitor does not coalesce them.
 */
#include "guests/x86/board.h"

    .code16
    .globl _start, guest_size
    .set guest_size, 18

_start:
    mov $UART_PORT, %dx
    xor %cl, %cl
next:
    mov %cl, %al                /* OUT takes its byte from AL and from nowhere else */
    add $'0', %al
    out %al, (%dx)
    inc %cl
    cmp $10, %cl
    jb next
    hlt

/*
 * counter: prints 0123456789 through the UART, from a number in a register.
 *
 * Exits: 11 (10 digits, the finisher), when the monitor does not coalesce them.
 */
#include "guests/riscv64/finish.inc"

    .globl _start

_start:
    li s0, UART_ADDRESS
    li s1, 0
    li s2, 10
next:
    addi t0, s1, '0'
    sb t0, (s0)
    addi s1, s1, 1
    bltu s1, s2, next
    finish

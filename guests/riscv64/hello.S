/*
 * hello: prints a text through the UART, a byte at a time.
 *
 * Exits: 13 (12 bytes, the finisher), when the monitor does not coalesce them.
 */
#include "guests/riscv64/finish.inc"

    .globl _start

_start:
    lla s0, message
    li s1, UART_ADDRESS
next:
    lbu t0, (s0)
    beqz t0, done
    sb t0, (s1)
    addi s0, s0, 1
    j next
done:
    finish

message:
    .asciz "Hello, KVM!\n"

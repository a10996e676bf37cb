/*
 * triplefault: prints "!" through the UART, then has a trap whose handler is where no memory is. RISC-V
 * has no triple fault, but this comes to the same: the hart can do nothing any more.
 *
 * Exits: 1 (a byte). The hart faults for ever after, which the VMM sees when it looks, or
 * KVM gives up at once.
 */
#include "guests/riscv64/board.h"

#define NOWHERE 0x40000000

    .globl _start

_start:
    li t0, UART_ADDRESS
    li t1, '!'
    sb t1, (t0)
    li t0, NOWHERE
    csrw stvec, t0
    unimp

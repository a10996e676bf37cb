/*
 * cat: copies input to output through the UART, every byte as it is, and ends at the end of input.
 * cat polls; cat-irq, the same source with BY_INTERRUPT, waits in WFI and takes the machine "virt":
 *
 *   echo text | vmmctl run build/guests/cat.bin
 *   echo text | vmmctl run --machine virt build/guests/cat-irq.bin
 *
 * Exits: 3 a byte (line status, byte in, byte out), 2 for each look in vain, and HC_EXIT.
 */
#include "guests/riscv64/hypercall.inc"
#include "guests/riscv64/uart.h"

    .globl _start

_start:
    li s0, UART_ADDRESS
    call uart_start
next:
    call uart_read
    bltz a0, end
    sb a0, UART_DATA(s0)
    j next
end:
    hypercall HC_EXIT

#include "guests/riscv64/uart_read.inc"

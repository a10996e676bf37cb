/*
 * echo: shows what is typed, through the UART, until Ctrl-D or the end of input. A terminal sends CR
 * for Enter and needs CR and LF to begin a line.
 * echo polls; echo-irq, the same source with BY_INTERRUPT, waits in WFI and takes the machine "virt":
 *
 *   vmmctl run build/guests/echo.bin
 *   vmmctl run --machine virt build/guests/echo-irq.bin
 *
 * Exits: 3 a byte (line status, byte in, byte out), 2 for each look in vain, and HC_EXIT.
 */
#include "guests/riscv64/hypercall.inc"
#include "guests/riscv64/uart.h"

#define CTRL_D 4

    .globl _start

_start:
    li s0, UART_ADDRESS
    call uart_start
next:
    call uart_read
    bltz a0, end
    li t0, CTRL_D
    beq a0, t0, end
    sb a0, UART_DATA(s0)
    li t0, '\r'
    bne a0, t0, next
    li t0, '\n'
    sb t0, UART_DATA(s0)
    j next
end:
    hypercall HC_EXIT

#include "guests/riscv64/uart_read.inc"

/*
 * echo: shows what is typed, through the UART, until Ctrl-D or the end of input. A terminal sends CR
 * for Enter and needs CR and LF to begin a line.
 * echo polls; echo-irq, the same source with BY_INTERRUPT, waits in HLT and takes the machine "pc":
 *
 *   vmmctl run build/guests/echo.bin
 *   vmmctl run --machine pc build/guests/echo-irq.bin
 *
 * Exits: 3 a byte (line status, byte in, byte out), 2 for each look in vain, and HC_EXIT.
 */
#include "guests/x86/hypercall.inc"
#include "guests/x86/pc.h"
#include "guests/x86/pic.inc"

#define CTRL_D 4

    .code16
    .globl _start

_start:
    call uart_start
next:
    call uart_read
    jc end
    cmp $CTRL_D, %al
    je end
    out %al, (%dx)              /* DX is still UART_DATA */
    cmp $'\r', %al
    jne next
    mov $'\n', %al
    out %al, (%dx)
    jmp next
end:
    hypercall HC_EXIT

#include "guests/x86/uart_read.inc"

/*
 * cat: copies input to output through the UART, every byte as it is, and ends at the end of input.
 * cat polls; cat-irq, the same source with BY_INTERRUPT, waits in HLT and takes the machine "pc":
 *
 *   echo text | vmmctl run build/guests/cat.bin
 *   echo text | vmmctl run --machine pc build/guests/cat-irq.bin
 *
 * Exits: 3 a byte (line status, byte in, byte out), 2 for each look in vain, and HC_EXIT.
 */
#include "guests/x86/hypercall.inc"
#include "guests/x86/pc.h"
#include "guests/x86/pic.inc"

    .code16
    .globl _start

_start:
    call uart_start
next:
    call uart_read
    jc end
    out %al, (%dx)              /* DX is still UART_DATA */
    jmp next
end:
    hypercall HC_EXIT

#include "guests/x86/uart_read.inc"

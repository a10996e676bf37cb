/*
 * hello: prints a text through the UART, a byte at a time.
 *
 * Exits: 13 (12 bytes, HLT), when the monitor does not coalesce them.
 */
#include "guests/x86/board.h"

    .code16
    .globl _start, guest_size
    .set guest_size, 28

_start:
    mov $message, %si
    mov $UART_PORT, %dx
next:
    lodsb                       /* AL = the byte at DS:SI, SI + 1; DF is clear at entry */
    test %al, %al
    jz done
    out %al, (%dx)
    jmp next
done:
    hlt

message:
    .asciz "Hello, KVM!\n"

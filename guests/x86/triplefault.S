/*
 * triplefault: prints "!" through the UART, then has a fault that the CPU cannot report, nor the
 * fault of that: the CPU shuts down, which ends the VM.
 *
 * Exits: 2 (a byte, SHUTDOWN).
 */
#include "guests/x86/board.h"

    .code16
    .globl _start

_start:
    mov $UART_PORT, %dx
    mov $'!', %al
    out %al, (%dx)
    lidt no_table
    ud2

/* A CPU goes by the limit. KVM, where it interprets real mode, looks only whether memory is there. */
no_table:
    .word 0                     /* limit */
    .long 0xff0000              /* base */

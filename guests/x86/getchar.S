/*
 * getchar: prints each byte of input, and ends at the end of input. It waits in the VMM, where that
 * costs no CPU.
 *
 *   echo text | vmmctl run build/guests/getchar.bin
 *
 * Exits: 2 a byte (HC_GETCHAR, HC_PUTCHAR) and 2 (HC_GETCHAR, HC_EXIT).
 */
#include "guests/x86/hypercall.inc"

    .code16
    .globl _start

_start:
next:
    hypercall HC_GETCHAR
    test %ah, %ah
    jnz end
    mov %al, %bl
    hypercall HC_PUTCHAR
    jmp next
end:
    hypercall HC_EXIT

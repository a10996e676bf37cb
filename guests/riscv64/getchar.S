/*
 * getchar: prints each byte of input, and ends at the end of input. It waits in the VMM, where that
 * costs no CPU.
 *
 *   echo text | vmmctl run build/guests/getchar.bin
 *
 * Exits: 2 a byte (HC_GETCHAR, HC_PUTCHAR) and 2 (HC_GETCHAR, HC_EXIT).
 */
#include "guests/riscv64/hypercall.inc"

    .globl _start

_start:
next:
    hypercall HC_GETCHAR
    bltz a1, end
    mv a0, a1
    hypercall HC_PUTCHAR
    j next
end:
    hypercall HC_EXIT

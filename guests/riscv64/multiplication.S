/*
 * multiplication: prints the times tables 2 to 9, "2 x 1 = 2" to "9 x 9 = 81", 72 lines, all
 * through hypercalls.
 *
 * Exits: 721 (10 hypercalls a line, HC_EXIT).
 */
#include "guests/riscv64/hypercall.inc"

    .globl _start

.macro putchar character
    li a0, \character
    hypercall HC_PUTCHAR
.endm

.macro putnum register
    mv a0, \register
    hypercall HC_PUTNUM
.endm

_start:
    li s2, 9
    li s0, 2                    /* which table */
table:
    li s1, 1                    /* which line of it */
line:
    putnum s0
    putchar ' '
    putchar 'x'
    putchar ' '
    putnum s1
    putchar ' '
    putchar '='
    putchar ' '
    mul s3, s0, s1
    putnum s3
    hypercall HC_NEWLINE

    addi s1, s1, 1
    bleu s1, s2, line

    addi s0, s0, 1
    bleu s0, s2, table
    hypercall HC_EXIT

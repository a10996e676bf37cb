/*
 * multiplication-ring: the times tables of multiplication, by the output ring.
 *
 * Exits: 2 (HC_RING, HLT). What is in the ring is printed when the guest halts, or before that when
 * the VMM looks. A full ring would cost an HC_NOTIFY; this one has room for all 778 bytes.
 */
#include "guests/x86/hypercall.inc"

#define DATA_SIZE 1024

    .code16
    .globl _start

_start:
    mov $ring, %si
    hypercall HC_RING
    xor %edi, %edi              /* the producer to be: bytes written so far */
    call times_tables
    hlt

put:
    mov %edi, %ecx
    sub ring + RING_CONSUMER_AT, %ecx
    cmp $DATA_SIZE, %ecx        /* written and not taken yet */
    jae full
    mov %di, %si
    and $(DATA_SIZE - 1), %si
    mov %al, data(%si)
    inc %edi
    ret
full:
    push %ax
    call end_line
    hypercall HC_NOTIFY
    pop %ax
    jmp put

end_line:
    mov %edi, ring + RING_PRODUCER_AT   /* after the bytes: x86 keeps the order of stores */
    ret

#include "guests/x86/times_tables.inc"

    .data
    .balign RING_ALIGNMENT
ring:
    .long RING_MAGIC
    .long 0                     /* features */
    .long DATA_SIZE
    .long 0
    .long data, 0               /* 64 bits; the assembler has no 64-bit address for 16-bit code */
    .skip RING_DESCRIPTOR_SIZE - (. - ring)     /* producer and consumer: 0 */

    .bss
data:
    .skip DATA_SIZE

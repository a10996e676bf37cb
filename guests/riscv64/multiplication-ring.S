/*
 * multiplication-ring: the times tables of multiplication, by the output ring.
 *
 * Exits: 2 (HC_RING, HC_EXIT). What is in the ring is printed when the guest ends, or before that
 * when the VMM looks. A full ring would cost an HC_NOTIFY; this one has room for all 778 bytes.
 */
#include "guests/riscv64/hypercall.inc"

#define DATA_SIZE 1024

    .globl _start

_start:
    lla s6, ring
    lla s7, data
    li s8, 0                    /* the producer to be: bytes written so far */
    mv a0, s6
    hypercall HC_RING
    call times_tables
    hypercall HC_EXIT

put:
    lw t0, RING_CONSUMER_AT(s6)
    fence r, w                  /* what was taken before it is overwritten */
    subw t0, s8, t0
    li t1, DATA_SIZE            /* written and not taken yet */
    bgeu t0, t1, full
    andi t0, s8, DATA_SIZE - 1
    add t0, s7, t0
    sb a0, (t0)
    addiw s8, s8, 1
    ret
full:
    mv s9, a0
    fence w, w
    sw s8, RING_PRODUCER_AT(s6)
    hypercall HC_NOTIFY
    mv a0, s9
    j put

end_line:
    fence w, w                  /* the bytes before the number that tells of them */
    sw s8, RING_PRODUCER_AT(s6)
    ret

#include "guests/riscv64/times_tables.inc"

    .data
    .balign RING_ALIGNMENT
ring:
    .word RING_MAGIC
    .word 0                     /* features */
    .word DATA_SIZE
    .word 0
    .dword data
    .skip RING_DESCRIPTOR_SIZE - (. - ring)     /* producer and consumer: 0 */

    .bss
data:
    .skip DATA_SIZE

/*
 * flood: prints lines of 64 bytes for ever, as fast as one way of printing allows. One source, a
 * guest for each way, chosen by the symbol that it is built with:
 *
 *   flood-uart      FLOOD_UART      a byte a time to the UART
 *   flood-putchar   FLOOD_PUTCHAR   a byte a HC_PUTCHAR
 *   flood-write     FLOOD_WRITE     32 KiB a HC_WRITE
 *   flood-ring      FLOOD_RING      the output ring, 256 KiB, and a HC_NOTIFY when it is full
 *
 *   vmmctl run --timeout 1s build/guests/flood-ring.bin | tail
 *
 * All lines are in memory before the first is printed, in the ring's data area even, so that what
 * costs time is the printing alone.
 */
#include "guests/riscv64/hypercall.inc"

#define LINE_SIZE  64
#define BLOCK      (GUEST_MEMORY_BASE + 0x40000)        /* where the lines are, in memory that is free */
#ifdef FLOOD_RING
#define BLOCK_SIZE 0x40000
#else
#define BLOCK_SIZE 0x8000
#endif

    .globl _start

_start:
    li s0, BLOCK
    li s1, BLOCK + BLOCK_SIZE
    mv t0, s0
fill:
    lla t1, line
    addi t2, t1, LINE_SIZE
copy:
    ld t3, (t1)
    sd t3, (t0)
    addi t1, t1, 8
    addi t0, t0, 8
    bltu t1, t2, copy
    bltu t0, s1, fill

#if defined(FLOOD_UART)
    li s2, UART_ADDRESS
again:
    mv t0, s0
next:
    lbu t1, (t0)
    sb t1, (s2)
    addi t0, t0, 1
    bltu t0, s1, next
    j again

#elif defined(FLOOD_PUTCHAR)
    li a6, HC_PUTCHAR           /* a hypercall leaves a6 and a7 as they were */
    li a7, HYPERCALL_EXTENSION
again:
    mv t0, s0
next:
    lbu a0, (t0)
    ecall
    addi t0, t0, 1
    bltu t0, s1, next
    j again

#elif defined(FLOOD_WRITE)
again:
    mv a0, s0
    li a1, BLOCK_SIZE
    hypercall HC_WRITE
    j again

#elif defined(FLOOD_RING)
    lla s2, ring
    li s3, BLOCK_SIZE
    mv a0, s2
    hypercall HC_RING
again:
    lw t0, RING_CONSUMER_AT(s2)
    addw t0, t0, s3
    fence rw, w
    sw t0, RING_PRODUCER_AT(s2) /* full: the lines are there already */
    hypercall HC_NOTIFY
    j again
#endif

    .balign 8
line:
    .ascii "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"

#ifdef FLOOD_RING
    .data
    .balign RING_ALIGNMENT
ring:
    .word RING_MAGIC
    .word 0                     /* features */
    .word BLOCK_SIZE
    .word 0
    .dword BLOCK
    .skip RING_DESCRIPTOR_SIZE - (. - ring)     /* producer and consumer: 0 */
#endif

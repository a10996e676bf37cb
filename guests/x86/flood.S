/*
 * flood: prints lines of 64 bytes for ever, as fast as one way of printing allows. One source, a
 * guest for each way, chosen by the symbol that it is built with:
 *
 *   flood-uart      FLOOD_UART      a byte a time to the UART, by a string instruction
 *   flood-putchar   FLOOD_PUTCHAR   a byte a HC_PUTCHAR
 *   flood-write     FLOOD_WRITE     32 KiB a HC_WRITE
 *   flood-ring      FLOOD_RING      the output ring, 256 KiB, and a HC_NOTIFY when it is full
 *
 *   vmmctl run --timeout 1s build/guests/flood-ring.bin | tail
 *
 * All lines are in memory before the first is printed, in the ring's data area even, so that what
 * costs time is the printing alone.
 */
#include "guests/x86/hypercall.inc"

#define LINE_SIZE  64
#define BLOCK      0x40000      /* where the lines are, in memory that is free */
#ifdef FLOOD_RING
#define BLOCK_SIZE 0x40000
#else
#define BLOCK_SIZE 0x8000
#endif

    .code16
    .globl _start

_start:
    mov $(BLOCK / 16), %ax      /* segments count in 16 bytes */
    mov $(BLOCK_SIZE / LINE_SIZE), %bx
fill:
    mov %ax, %es
    xor %di, %di
    mov $line, %si
    mov $(LINE_SIZE / 4), %cx
    rep movsl                   /* from DS:SI to ES:DI */
    add $(LINE_SIZE / 16), %ax
    dec %bx
    jnz fill

#ifndef FLOOD_RING
    mov $(BLOCK / 16), %ax
    mov %ax, %ds                /* the block is at DS:0 */
#endif

#if defined(FLOOD_UART)
    mov $UART_PORT, %dx
again:
    xor %si, %si
    mov $BLOCK_SIZE, %cx
    rep outsb                   /* CX bytes from DS:SI to port DX */
    jmp again

#elif defined(FLOOD_PUTCHAR)
    mov $HC_PUTCHAR, %al        /* a hypercall leaves AL and DX as they were */
    mov $HYPERCALL_PORT, %dx
again:
    xor %si, %si
    mov $BLOCK_SIZE, %cx
next:
    mov (%si), %bl
    out %al, (%dx)
    inc %si
    loop next
    jmp again

#elif defined(FLOOD_WRITE)
    xor %si, %si
    mov $BLOCK_SIZE, %cx
again:
    hypercall HC_WRITE
    jmp again

#elif defined(FLOOD_RING)
    mov $ring, %si
    hypercall HC_RING
again:
    mov ring + RING_CONSUMER_AT, %eax
    add $BLOCK_SIZE, %eax
    mov %eax, ring + RING_PRODUCER_AT   /* full: the lines are there already */
    hypercall HC_NOTIFY
    jmp again
#endif

line:
    .ascii "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"

#ifdef FLOOD_RING
    .data
    .balign RING_ALIGNMENT
ring:
    .long RING_MAGIC
    .long 0                     /* features */
    .long BLOCK_SIZE
    .long 0
    .long BLOCK, 0              /* 64 bits */
    .skip RING_DESCRIPTOR_SIZE - (. - ring)     /* producer and consumer: 0 */
#endif

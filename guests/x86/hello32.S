/*
 * hello32: climbs from real mode to 32-bit protected mode, has the timer interrupt it, prints a line
 * for each of three ticks, 10 ms apart, and ends.
 *
 *   vmmctl run --machine pc build/guests/hello32.bin
 *
 * Exits, not coalesced: 45 (44 bytes, HC_EXIT). The interrupt controllers and the timer are in
 * KVM, and so is the wait in HLT.
 */
#include "guests/x86/hypercall.inc"
#include "guests/x86/pc.h"
#include "guests/x86/pic.inc"

#define CODE    0x08            /* selectors: offsets into the GDT */
#define DATA    0x10
#define INTERRUPT_GATE 0x8e00   /* present, 32-bit: Intel SDM vol. 3A, "IDT Descriptors" */

#define TICKS   3
#define DIVISOR (PIT_HERTZ / 100)

    .globl _start

    .code16
_start:
    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al                  /* CR0.PE: Intel SDM vol. 3A, "Switching to Protected Mode" */
    mov %eax, %cr0
    ljmp $CODE, $protected      /* loads CS: 32-bit code from here on */

    .code32
protected:
    mov $DATA, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $_start, %esp           /* grows down from the image, as before */
    mov $hello, %esi
    call print

    movl $(CODE << 16) + tick, gate     /* the handler's address is below 64 KiB */
    movl $INTERRUPT_GATE, gate + 4
    lidt idt_pointer
    pic_init TIMER_IRQ
    mov $PIT_RATE, %al
    out %al, $PIT_COMMAND
    mov $(DIVISOR & 0xff), %al
    out %al, $PIT_CHANNEL_0
    mov $(DIVISOR >> 8), %al
    out %al, $PIT_CHANNEL_0

next_tick:
    call wait
    mov $ticked, %esi
    call print
    incb tick_digit
    cmpb $('0' + TICKS), tick_digit
    jbe next_tick
    hypercall HC_EXIT

/* Interrupts are on nowhere but here: whether a tick comes before the HLT or in it, `tick` returns in
 * this one's place. */
wait:
    sti
halt:
    hlt
    jmp halt

/*
 * Returns from `wait`, with interrupts off. It drops what the interrupt saved, not by IRET: a KVM
 * that interprets the CPU may have no IRET of protected mode. Sets AL.
 */
tick:
    mov $PIC_END_OF_IRQ, %al
    out %al, $PIC1_COMMAND
    add $12, %esp               /* EIP, CS and EFLAGS of what was interrupted */
    ret

print:                          /* the text at ESI that ends with a 0 */
    mov $UART_DATA, %dx
next:
    lodsb
    test %al, %al
    jz printed
    out %al, (%dx)
    jmp next
printed:
    ret

hello:
    .asciz "Hello, protected mode!\n"
ticked:
    .ascii "tick "
tick_digit:
    .asciz "1\n"

/* Intel SDM vol. 3A, "Segment Descriptors": base 0, limit 4 GiB, ring 0, 32-bit. */
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff    /* CODE: execute, read */
    .quad 0x00cf93000000ffff    /* DATA: read, write */
gdt_pointer:
    .word . - gdt - 1
    .long gdt
idt_pointer:
    .word gate + 8 - idt - 1
    .long idt

    .bss
    .balign 8
idt:
    .skip 8 * (PIC_VECTOR + TIMER_IRQ)  /* no gates for the CPU's faults: one would be a shutdown */
gate:
    .skip 8

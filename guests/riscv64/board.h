/*
 * What a riscv64 guest finds where. The guests' assembly includes this file, and so does the
 * daemon's C, so it holds nothing but #defines and comments.
 *
 * A flat image is loaded at GUEST_MEMORY_BASE and entered there, in supervisor mode: paging and
 * interrupts are off, a0 is the hart's id, 0, and sp is 64 KiB below the end of memory. There, on
 * the machine "virt", is a device tree, whose address is in a1; on the bare one a1 is 0, and an
 * image that goes further up has sp at the end of memory.
 */
#pragma once

/* Guest physical; where an image that has no other address goes. */
#define GUEST_MEMORY_BASE 0x80000000

/* Addresses. One that is not listed reads all ones; what is written to it is lost, and counted. */
#define UART_ADDRESS     0x10000000 /* 8 bytes: a 16550; a byte written to the first is printed */
#define FINISHER_ADDRESS 0x100000   /* 32 bits: ends the VM, by one of the following */
#define FINISHER_PASS    0x5555     /* code 0 */
#define FINISHER_FAIL    0x3333     /* with (code << 16); above 255, code 255 */
#define FINISHER_RESET   0x7777     /* as a reset, which ends the VM */

/* Of the machine "virt" alone. */
#define PLIC_ADDRESS 0x0c000000 /* context n is hart n in supervisor mode */
#define UART_IRQ     10         /* at the PLIC */

/*
 * Hypercalls are calls of the SBI: a7 the extension, a6 the number. A buffer is guest-physical, its
 * address in a0 and its size in a1; other arguments are in a0. a0 is 0 then, or an error of the
 * SBI: -2, there is no such hypercall, -3, the buffer is not wholly memory, or was refused. a1 is
 * the result: of HC_WRITE and HC_READ the bytes, of HC_GETCHAR the byte, or -1 at the end of the
 * input. HC_PUTNUM prints all 64 bits.
 */
#define HYPERCALL_EXTENSION        0x09000500
#define HYPERCALL_VERSION_FUNCTION 0x100 /* a1 is HYPERCALL_ABI_VERSION */

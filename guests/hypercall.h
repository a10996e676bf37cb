/*
 * The guest ABI: what a guest and vmmd must agree on. The one definition: the guests' assembly
 * includes this file, and so does the daemon's C, so it holds nothing but #defines and comments.
 *
 * A guest is a flat image, loaded at GUEST_LOAD_ADDRESS and entered there in real mode: every
 * segment is 0, IP and SP are the load address (so the stack grows down, away from the image), and
 * the flags are clear: no interrupts, string instructions count up. HLT ends the VM: nothing is
 * there that could wake it.
 */
#pragma once

/* Guest physical; `load` of vm.start moves it (0x7c00 is where a boot sector expects to be). */
#define GUEST_LOAD_ADDRESS 0x1000

/* Bytes of memory, from address 0 up, unless the VM was started with other `memory`. */
#define GUEST_MEMORY_DEFAULT 0x100000

/*
 * Served so far: the UART, and hypercalls 0x00 to 0x03. The other ports and numbers here are kept
 * for what is said of them; until then they are as good as not listed.
 *
 * Ports. One that is not listed here reads all ones; what is written to it is lost, and counted.
 */
#define UART_PORT          0x3f8 /* to 0x3ff: a 16550, COM1; a byte written to 0x3f8 is printed */
#define HYPERCALL_PORT     0x500 /* byte out: hypercall, its number in AL; byte in: ABI version */
#define DEBUG_CONSOLE_PORT 0xe9  /* byte out: printed; reads back 0xe9 */
#define DEBUG_EXIT_PORT    0xf4  /* out: ends the VM with code (value << 1) | 1, as QEMU does */
#define POST_PORT          0x80  /* byte out: POST code, kept in the VM's record */

#define HYPERCALL_ABI_VERSION 2

/*
 * Hypercalls: number in AL, arguments in registers, then OUT HYPERCALL_PORT, AL. Only a byte-wide
 * OUT is a hypercall. Registers that are not named as a result stay as they were. An unknown number
 * changes nothing.
 *
 * DS:SI, CX and AX are DS:ESI, ECX and EAX in 32-bit code, RSI, RCX and RAX in 64-bit code. Where
 * a buffer is not wholly in the guest's memory, AX is all ones.
 */
#define HC_EXIT      0x00 /* ends the VM, code 0 */
#define HC_PUTCHAR   0x01 /* prints the byte in BL */
#define HC_PUTNUM    0x02 /* prints BX in decimal, unsigned, no leading zeros */
#define HC_NEWLINE   0x03 /* prints '\n' */
#define HC_EXIT_CODE 0x04 /* ends the VM, code BL */
#define HC_WRITE     0x05 /* prints CX bytes at DS:SI; AX = bytes taken */
#define HC_READ      0x06 /* moves up to CX bytes of input to DS:SI; AX = bytes, 0: none there now */
#define HC_GETCHAR   0x07 /* waits for a byte of input; AL = byte, AH = 0; AH = 1: end of input */
#define HC_RING      0x08 /* hands over the output ring whose descriptor is at DS:SI */
#define HC_NOTIFY    0x09 /* the output ring has data: when it is full, or must be seen now */

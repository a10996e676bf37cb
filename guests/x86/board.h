/*
 * What an x86 guest finds where, and how it makes a hypercall. For assembly and C, like
 * guests/hypercall.h.
 *
 * A flat image is loaded at GUEST_LOAD_ADDRESS and entered there, by default in real mode: every
 * segment is 0, IP and SP are the load address (so the stack grows down, away from the image), and
 * the flags are clear: no interrupts, string instructions count up. Memory begins at 0. On the bare
 * machine, HLT ends the VM: nothing is there that could wake it. docs/guests.md has the other
 * modes, images and the machine "pc".
 */
#pragma once

/* Guest physical; `load` of vm.start moves it (0x7c00 is where a boot sector expects to be). */
#define GUEST_LOAD_ADDRESS 0x1000

/* Ports. One that is not listed reads all ones; what is written to it is lost, and counted. */
#define UART_PORT          0x3f8 /* to 0x3ff: a 16550, COM1; a byte written to 0x3f8 is printed */
#define HYPERCALL_PORT     0x500 /* byte out: hypercall, its number in AL; byte in: ABI version */
#define DEBUG_CONSOLE_PORT 0xe9  /* byte out: printed; reads back 0xe9 */
#define DEBUG_EXIT_PORT    0xf4  /* out: ends the VM with code (value << 1) | 1, as QEMU does */
#define POST_PORT          0x80  /* byte out: POST code, kept in the VM's record */
#define POST_PORT_2        0x190 /* likewise, where newer firmware puts them */

/* Ports of the machine "pc" alone, beside its interrupt controllers, timer, clock and fw_cfg. */
#define KEYBOARD_PORT 0x64  /* out 0xfe: resets the machine, which ends the VM */
#define RESET_PORT    0xcf9 /* out with bit 2 set: likewise */

/*
 * Hypercalls: number in AL, arguments in registers, then OUT HYPERCALL_PORT, AL. Only a byte-wide
 * OUT is a hypercall. Registers that are not named here stay as they were, but for AX where there
 * is a result. An unknown number changes nothing.
 *
 *   byte, code   BL
 *   number       BX: 16 bits, in any code
 *   buffer       its address DS:SI, its size CX
 *   result       AX; all ones: refused
 *   HC_GETCHAR   AL is the byte and AH 0; AH 1: end of input
 *
 * DS:SI, CX and AX are DS:ESI, ECX and EAX in 32-bit code, RSI, RCX and RAX in 64-bit code; of
 * HC_GETCHAR's result they are not.
 */

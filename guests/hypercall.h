/*
 * The guest ABI: what a guest and vmmd must agree on. The one definition: the guests' assembly and
 * C include this file, and so does the daemon's C, so it holds nothing but #defines and comments.
 *
 * A flat image is loaded at GUEST_LOAD_ADDRESS and entered there, by default in real mode: every
 * segment is 0, IP and SP are the load address (so the stack grows down, away from the image), and
 * the flags are clear: no interrupts, string instructions count up. On the bare machine, HLT ends
 * the VM: nothing is there that could wake it. docs/guests.md has the other modes, images and the
 * machine "pc".
 */
#pragma once

/* Guest physical; `load` of vm.start moves it (0x7c00 is where a boot sector expects to be). */
#define GUEST_LOAD_ADDRESS 0x1000

/* Bytes of memory, from address 0 up, unless the VM was started with other `memory`. */
#define GUEST_MEMORY_DEFAULT 0x100000

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

#define HYPERCALL_ABI_VERSION 2

/*
 * Hypercalls: number in AL, arguments in registers, then OUT HYPERCALL_PORT, AL. Only a byte-wide
 * OUT is a hypercall. Registers that are not named as a result stay as they were. An unknown number
 * changes nothing.
 *
 * DS:SI, CX and AX are DS:ESI, ECX and EAX in 32-bit code, RSI, RCX and RAX in 64-bit code. Where
 * a buffer is not wholly in the guest's memory, AX is all ones. One call moves at most
 * HC_TRANSFER_MAX bytes: who has more to print calls again with what was not taken.
 */
#define HC_EXIT      0x00 /* ends the VM, code 0 */
#define HC_PUTCHAR   0x01 /* prints the byte in BL */
#define HC_PUTNUM    0x02 /* prints BX in decimal, unsigned, no leading zeros */
#define HC_NEWLINE   0x03 /* prints '\n' */
#define HC_EXIT_CODE 0x04 /* ends the VM, code BL */
#define HC_WRITE     0x05 /* prints CX bytes at DS:SI; AX = bytes taken */
#define HC_READ      0x06 /* moves up to CX bytes of input to DS:SI; AX = bytes, 0: none there now */
#define HC_GETCHAR   0x07 /* waits for a byte of input; AL = byte, AH = 0; AH = 1: end of input */
#define HC_RING      0x08 /* hands over the output ring at DS:SI; AX = 0, all ones: refused */
#define HC_NOTIFY    0x09 /* takes what is in the ring, now; AX = 0, all ones: there is no ring */

#define HC_TRANSFER_MAX 0x10000 /* bytes, of HC_WRITE and HC_READ */

/*
 * The output ring: memory of the guest from which the VMM takes what is to be printed, so that
 * printing needs no exit. The guest fills in a descriptor and hands it over by HC_RING, once. A
 * second HC_RING replaces the first ring, whose data is taken before.
 *
 * The numbers are little-endian, at these offsets. Producer and consumer have a cache line each:
 * each has one writer, and does not slow the other down.
 */
#define RING_MAGIC_AT    0   /* 32 bits: RING_MAGIC */
#define RING_FEATURES_AT 4   /* 32 bits: 0; a bit that the VMM does not know is refused */
#define RING_SIZE_AT     8   /* 32 bits: bytes of the data area, a power of two */
#define RING_RESERVED_AT 12  /* 32 bits: 0 */
#define RING_DATA_AT     16  /* 64 bits: guest-physical address of the data area */
#define RING_PRODUCER_AT 64  /* 32 bits: bytes ever written, modulo 2^32; the guest's to store */
#define RING_CONSUMER_AT 128 /* 32 bits: bytes ever taken, modulo 2^32; the VMM's to store */

#define RING_DESCRIPTOR_SIZE 192 /* bytes */
#define RING_ALIGNMENT       64  /* of the descriptor's guest-physical address */

#define RING_MAGIC    0x474e4952 /* "RING" */
#define RING_SIZE_MIN 64
#define RING_SIZE_MAX 0x100000

/*
 * Byte n since the first is at data[n % size]. To print, the guest stores the bytes, and after them
 * the new producer; not past consumer + size, as these bytes were not taken yet. The VMM reads
 * producer, prints, and then stores the new consumer: at every exit, whatever its reason, 50 times
 * a second besides, and once more when the VM ends. HC_NOTIFY is for a ring that is full and for
 * bytes that cannot wait.
 *
 * A producer that is more than size ahead of the consumer ends the ring, not the VM: what the ring
 * holds is lost, the VM's record has the reason, and HC_NOTIFY returns all ones.
 */

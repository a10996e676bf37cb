/*
 * The guest ABI: what a guest and vmmd must agree on, whatever the architecture; with it goes
 * board.h of the architecture's folder. The one definition: the guests' assembly and C include
 * these files, and so does the daemon's C, so they hold nothing but #defines and comments.
 */
#pragma once

/* Bytes of memory, unless the VM was started with other `memory`. */
#define GUEST_MEMORY_DEFAULT 0x100000

#define HYPERCALL_ABI_VERSION 2

/*
 * Hypercalls, by number, with what each takes and gives; which registers these are, and how the
 * call is made, is in board.h of the architecture's folder. Where a buffer is not wholly in the
 * guest's memory, the call is refused. One call moves at most HC_TRANSFER_MAX bytes: who has more
 * to print calls again with what was not taken.
 */
#define HC_EXIT      0x00 /* ends the VM, code 0 */
#define HC_PUTCHAR   0x01 /* argument: a byte to print */
#define HC_PUTNUM    0x02 /* argument: a number to print in decimal, unsigned, no leading zeros */
#define HC_NEWLINE   0x03 /* prints '\n' */
#define HC_EXIT_CODE 0x04 /* argument: a code, 0 to 255; ends the VM with it */
#define HC_WRITE     0x05 /* prints a buffer; result: bytes taken */
#define HC_READ      0x06 /* moves input to a buffer; result: bytes, 0: none there now */
#define HC_GETCHAR   0x07 /* waits for a byte of input; result: the byte, or end of input */
#define HC_RING      0x08 /* hands over the output ring whose address is the buffer's */
#define HC_NOTIFY    0x09 /* takes what is in the ring, now; refused: there is no ring */

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

/*
 * spin: loops for ever and makes no exit. It can only be stopped.
 *
 *   vmmctl run --timeout 1s build/guests/spin.bin
 */
    .code16
    .globl _start, guest_size
    .set guest_size, 2

_start:
again:
    jmp again

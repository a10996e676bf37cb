/*
 * spin: loops for ever and makes no exit. It can only be stopped.
 *
 *   vmmctl run --timeout 1s build/guests/spin.bin
 */
    .globl _start

_start:
again:
    j again

/*
 * hltloop: waits in HLT for ever, with interrupts off, and uses no CPU. It can only be stopped.
 *
 *   vmmctl run --machine pc --timeout 1s build/guests/hltloop.bin
 *
 * Exits: none on the machine "pc", where KVM waits. 1 on the bare machine, which HLT ends.
 */
    .code16
    .globl _start, guest_size
    .set guest_size, 3

_start:
again:
    hlt
    jmp again

/*
 * hltloop: waits in HLT for an interrupt that never comes, and uses no CPU. It can only be stopped:
 * with interrupts on, as far as the VMM knows one might still come.
 *
 *   vmmctl run --machine pc --timeout 1s build/guests/hltloop.bin
 *
 * Exits: none on the machine "pc", where KVM waits. 1 on the bare machine, which HLT ends.
 */
    .code16
    .globl _start, guest_size
    .set guest_size, 4

_start:
    sti
again:
    hlt
    jmp again

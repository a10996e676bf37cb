/*
 * hltloop: waits in WFI, RISC-V's HLT, for an interrupt that never comes, and uses no CPU. It can only
 * be stopped: with an interrupt enabled, as far as the VMM knows one might still come.
 *
 *   vmmctl run --timeout 1s build/guests/hltloop.bin
 *
 * Exits: none: KVM waits.
 */
#define SIE_SOFTWARE 0x2

    .globl _start

_start:
    csrwi sie, SIE_SOFTWARE
again:
    wfi
    j again

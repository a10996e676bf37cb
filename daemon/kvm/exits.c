#include "kvm/exits.h"

#include <inttypes.h>
#include <stdio.h>

#include <linux/kvm.h>

#include "kvm/machine.h"

void exit_mmio(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    machine_access(vcpu->machine, IO_SPACE_MEMORY, run->mmio.is_write ? IO_OUT : IO_IN,
                   run->mmio.phys_addr, run->mmio.data, run->mmio.len, 1);
}

void exit_fail_entry(struct vcpu *vcpu)
{
    guest_end_set(&vcpu->machine->end, GUEST_END_ERROR, 0,
                  "KVM could not enter the guest (fail_entry, hardware reason 0x%" PRIx64 ")",
                  (uint64_t)vcpu->run->fail_entry.hardware_entry_failure_reason);
}

/* The bytes of the instruction that KVM could not emulate, where it tells them. */
static void format_instruction(const struct kvm_run *run, char *text, size_t size)
{
    unsigned count = 0;

    text[0] = '\0';
    if (run->emulation_failure.suberror != KVM_INTERNAL_ERROR_EMULATION ||
        run->emulation_failure.ndata < 3 ||
        !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
        return;
    if (run->emulation_failure.insn_size <= sizeof(run->emulation_failure.insn_bytes))
        count = run->emulation_failure.insn_size;
    for (unsigned i = 0; i < count && size > 4; i++, text += 3, size -= 3)
        snprintf(text, size, " %02x", run->emulation_failure.insn_bytes[i]);
}

void exit_internal_error(struct vcpu *vcpu)
{
    static const char *const suberrors[] = {
        [KVM_INTERNAL_ERROR_EMULATION] = "it cannot emulate the guest's instruction",
        [KVM_INTERNAL_ERROR_SIMUL_EX] = "an exception while it handled an exception",
        [KVM_INTERNAL_ERROR_DELIVERY_EV] = "an exit while it delivered an event",
        [KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an exit it does not know",
    };
    uint32_t suberror = vcpu->run->internal.suberror;
    const char *why =
        suberror < sizeof(suberrors) / sizeof(suberrors[0]) ? suberrors[suberror] : NULL;
    char instruction[64];

    format_instruction(vcpu->run, instruction, sizeof(instruction));
    guest_end_set(&vcpu->machine->end, GUEST_END_ERROR, 0,
                  "KVM gave up (internal_error %" PRIu32 "): %s%s", suberror,
                  why ? why : "no more is known", instruction);
}

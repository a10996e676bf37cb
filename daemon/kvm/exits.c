#include "kvm/exits.h"

#include <inttypes.h>
#include <stdio.h>

#include <linux/kvm.h>

#include "kvm/machine.h"

static const char *const names[] = {
    [KVM_EXIT_UNKNOWN] = "unknown",
    [KVM_EXIT_EXCEPTION] = "exception",
    [KVM_EXIT_IO] = "io",
    [KVM_EXIT_HYPERCALL] = "hypercall",
    [KVM_EXIT_DEBUG] = "debug",
    [KVM_EXIT_HLT] = "hlt",
    [KVM_EXIT_MMIO] = "mmio",
    [KVM_EXIT_IRQ_WINDOW_OPEN] = "irq_window_open",
    [KVM_EXIT_SHUTDOWN] = "shutdown",
    [KVM_EXIT_FAIL_ENTRY] = "fail_entry",
    [KVM_EXIT_INTR] = "intr",
    [KVM_EXIT_SET_TPR] = "set_tpr",
    [KVM_EXIT_TPR_ACCESS] = "tpr_access",
    [KVM_EXIT_NMI] = "nmi",
    [KVM_EXIT_INTERNAL_ERROR] = "internal_error",
    [KVM_EXIT_OSI] = "osi",
    [KVM_EXIT_PAPR_HCALL] = "papr_hcall",
    [KVM_EXIT_WATCHDOG] = "watchdog",
    [KVM_EXIT_EPR] = "epr",
    [KVM_EXIT_SYSTEM_EVENT] = "system_event",
    [KVM_EXIT_IOAPIC_EOI] = "ioapic_eoi",
    [KVM_EXIT_HYPERV] = "hyperv",
    [KVM_EXIT_X86_RDMSR] = "x86_rdmsr",
    [KVM_EXIT_X86_WRMSR] = "x86_wrmsr",
    [KVM_EXIT_DIRTY_RING_FULL] = "dirty_ring_full",
    [KVM_EXIT_AP_RESET_HOLD] = "ap_reset_hold",
    [KVM_EXIT_X86_BUS_LOCK] = "x86_bus_lock",
    [KVM_EXIT_XEN] = "xen",
    [KVM_EXIT_RISCV_SBI] = "riscv_sbi",
    [36] = "riscv_csr", /* KVM_EXIT_RISCV_CSR, which headers before Linux 6.5 lack */
};

const char *exit_reason_to_string(uint32_t reason)
{
    if (reason >= sizeof(names) / sizeof(names[0]) || !names[reason])
        return "unknown";
    return names[reason];
}

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

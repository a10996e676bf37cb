/*
 * Exits of x86 guests (api.rst section 5, "The kvm_run structure").
 */
#include <linux/kvm.h>

#include "guests/hypercall.h"
#include "kvm/arch.h"
#include "kvm/machine.h"

/* OUT of a byte to the hypercall port: the number is in AL, the argument in BX. */
static void exit_hypercall(struct machine *machine, const uint8_t *numbers, unsigned count)
{
    uint64_t argument = machine->run->s.regs.regs.rbx & 0xffff;

    exit_stats_count_io(machine->stats, IO_SPACE_PORT, IO_OUT, HYPERCALL_PORT, true);
    for (unsigned i = 0; i < count && machine->end.reason == GUEST_END_NONE; i++)
        machine->hypercall(machine->hypercall_device, numbers[i], argument);
}

static void exit_io(struct machine *machine)
{
    struct kvm_run *run = machine->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    if (run->io.port == HYPERCALL_PORT && run->io.direction == KVM_EXIT_IO_OUT && run->io.size == 1)
        exit_hypercall(machine, data, run->io.count);
    else
        machine_access(machine, IO_SPACE_PORT,
                       run->io.direction == KVM_EXIT_IO_OUT ? IO_OUT : IO_IN, run->io.port, data,
                       run->io.size, run->io.count);
}

/* Without an interrupt controller in the kernel, nothing is left that could wake the CPU. */
static void exit_hlt(struct machine *machine)
{
    guest_end_set(&machine->end, GUEST_END_HALTED, 0, "the guest halted");
}

const exit_fn arch_exit_table[] = {
    [KVM_EXIT_IO] = exit_io,
    [KVM_EXIT_MMIO] = exit_mmio,
    [KVM_EXIT_HLT] = exit_hlt,
    [KVM_EXIT_SHUTDOWN] = exit_shutdown,
    [KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
    [KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
};

const size_t arch_exit_count = sizeof(arch_exit_table) / sizeof(arch_exit_table[0]);

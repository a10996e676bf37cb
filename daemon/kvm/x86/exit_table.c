/*
 * Exits of x86 guests (api.rst section 5, "The kvm_run structure").
 */
#include <linux/kvm.h>

#include "guests/x86/board.h"
#include "kvm/arch.h"
#include "kvm/machine.h"
#include "kvm/x86/registers.h"

/* OUTs of a byte to the hypercall port, from the first on that is not done: the number is in AL. */
static void exit_hypercall(struct vcpu *vcpu)
{
    struct machine *machine = vcpu->machine;
    const uint8_t *numbers = (uint8_t *)vcpu->run + vcpu->run->io.data_offset;

    vcpu->again = NULL;
    while (vcpu->io_done < vcpu->run->io.count && machine->end.reason == GUEST_END_NONE) {
        const struct hypercall call = {
            .number = numbers[vcpu->io_done],
            .argument = vcpu->run->s.regs.regs.rbx & 0xffff,
        };
        uint64_t result;

        switch (machine->hypercall(machine->hypercall_device, vcpu, &call, &result)) {
        case HYPERCALL_DONE:
        case HYPERCALL_UNKNOWN:
            break;
        case HYPERCALL_RESULT:
            registers_set_result(vcpu, result);
            break;
        case HYPERCALL_REFUSED: /* all ones, however wide the register is */
            registers_set_result(vcpu, UINT64_MAX);
            break;
        case HYPERCALL_BYTE:
            registers_set_word(vcpu, (uint8_t)result);
            break;
        case HYPERCALL_END:
            registers_set_word(vcpu, 0x100);
            break;
        case HYPERCALL_WAIT:
            vcpu->again = exit_hypercall;
            return;
        }
        vcpu->io_done++;
    }
}

static void exit_io(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    if (run->io.port == HYPERCALL_PORT && run->io.direction == KVM_EXIT_IO_OUT &&
        run->io.size == 1) {
        exit_stats_count_io(vcpu->machine->stats, IO_SPACE_PORT, IO_OUT, HYPERCALL_PORT, true);
        exit_hypercall(vcpu);
        return;
    }
    machine_access(vcpu->machine, IO_SPACE_PORT,
                   run->io.direction == KVM_EXIT_IO_OUT ? IO_OUT : IO_IN, run->io.port,
                   (uint8_t *)run + run->io.data_offset, run->io.size, run->io.count);
}

/* Without an interrupt controller in the kernel, nothing is left that could wake the CPU. */
static void exit_hlt(struct vcpu *vcpu)
{
    guest_end_set(&vcpu->machine->end, GUEST_END_HALTED, 0, "the guest halted");
}

static void exit_shutdown(struct vcpu *vcpu)
{
    guest_end_set(&vcpu->machine->end, GUEST_END_SHUTDOWN, 0,
                  "the guest's CPU shut down: a fault while handling a double fault");
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

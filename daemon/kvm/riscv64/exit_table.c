/*
 * Exits of riscv64 guests (api.rst section 5, "The kvm_run structure").
 */
#include <limits.h>
#include <sys/random.h>

#include <linux/kvm.h>

#include "guests/hypercall.h"
#include "guests/riscv64/board.h"
#include "kvm/arch.h"
#include "kvm/machine.h"
#include "kvm/riscv64/sbi.h"

/* a0 and a1 of the guest, once it goes on. */
static void answer(struct vcpu *vcpu, long error, uint64_t value)
{
    vcpu->run->riscv_sbi.ret[0] = (unsigned long)error;
    vcpu->run->riscv_sbi.ret[1] = value;
}

/* The hypercall that the guest asks for, which may be none that there is; for the debug console's
 * functions there is one each. False: the SBI has no such function here. */
static bool find_number(const struct kvm_run *run, unsigned *ret)
{
    static const unsigned console[DBCN_FUNCTIONS] = {
        [DBCN_CONSOLE_WRITE] = HC_WRITE,
        [DBCN_CONSOLE_READ] = HC_READ,
        [DBCN_CONSOLE_WRITE_BYTE] = HC_PUTCHAR,
    };
    uint64_t function = run->riscv_sbi.function_id;

    switch (run->riscv_sbi.extension_id) {
    case HYPERCALL_EXTENSION:
        *ret = function < UINT_MAX ? (unsigned)function : UINT_MAX;
        return true;
    case SBI_EXTENSION_DBCN:
        if (function < DBCN_FUNCTIONS)
            *ret = console[function];
        return function < DBCN_FUNCTIONS;
    }
    return false;
}

static void exit_hypercall(struct vcpu *vcpu)
{
    struct machine *machine = vcpu->machine;
    struct hypercall call = { .argument = vcpu->run->riscv_sbi.args[0] };
    uint64_t result = 0;

    vcpu->again = NULL;
    if (!find_number(vcpu->run, &call.number)) {
        answer(vcpu, SBI_ERR_NOT_SUPPORTED, 0);
        return;
    }
    switch (machine->hypercall(machine->hypercall_device, vcpu, &call, &result)) {
    case HYPERCALL_DONE:
        answer(vcpu, SBI_SUCCESS, 0);
        break;
    case HYPERCALL_RESULT:
    case HYPERCALL_BYTE:
        answer(vcpu, SBI_SUCCESS, result);
        break;
    case HYPERCALL_END:
        answer(vcpu, SBI_SUCCESS, UINT64_MAX);
        break;
    case HYPERCALL_REFUSED:
        answer(vcpu, SBI_ERR_INVALID_PARAM, 0);
        break;
    case HYPERCALL_UNKNOWN:
        answer(vcpu, SBI_ERR_NOT_SUPPORTED, 0);
        break;
    case HYPERCALL_WAIT:
        vcpu->again = exit_hypercall;
        break;
    }
}

static bool is_call(const struct kvm_run *run, uint64_t extension, uint64_t function)
{
    return run->riscv_sbi.extension_id == extension && run->riscv_sbi.function_id == function;
}

/* KVM knows of its own extensions, and leaves it to us to say which vendor's there is. */
static void exit_sbi(struct vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;

    if (is_call(run, HYPERCALL_EXTENSION, HYPERCALL_VERSION_FUNCTION))
        answer(vcpu, SBI_SUCCESS, HYPERCALL_ABI_VERSION);
    else if (is_call(run, SBI_EXTENSION_BASE, BASE_PROBE_EXTENSION))
        answer(vcpu, SBI_SUCCESS, run->riscv_sbi.args[0] == HYPERCALL_EXTENSION);
    else
        exit_hypercall(vcpu);
}

/* The entropy source, Zkr: RISC-V Cryptography Extensions, volume I, "The seed CSR". */
enum { CSR_SEED = 0x015 };

#define SEED_WAIT (UINT64_C(1) << 30) /* OPST: there is none yet */
#define SEED_ES16 (UINT64_C(2) << 30) /* OPST: the lowest 16 bits are random */

/* KVM leaves only what needs us. */
static void exit_csr(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    uint16_t entropy;

    if (run->riscv_csr.csr_num == CSR_SEED)
        run->riscv_csr.ret_value =
            getrandom(&entropy, sizeof(entropy), GRND_NONBLOCK) == sizeof(entropy)
                ? SEED_ES16 | entropy
                : SEED_WAIT;
    else
        guest_end_set(&vcpu->machine->end, GUEST_END_ERROR, 0,
                      "the guest accessed CSR 0x%03lx, which vmmd does not have",
                      run->riscv_csr.csr_num);
}

/* The SBI's system reset: specification, chapter 10; the reason is in data[0]. */
static void exit_system_event(struct vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    struct guest_end *end = &vcpu->machine->end;
    bool failed = run->system_event.ndata > 0 && run->system_event.data[0] != 0;

    switch (run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        guest_end_set(end, GUEST_END_GUEST_EXIT, failed,
                      failed ? "the guest shut the machine down, for it had failed"
                             : "the guest shut the machine down");
        break;
    case KVM_SYSTEM_EVENT_RESET:
        guest_end_set(end, GUEST_END_GUEST_EXIT, 0, "the guest reset the machine (SBI)");
        break;
    default:
        guest_end_set(end, GUEST_END_ERROR, 0, "the guest made system event %u, which is unknown",
                      run->system_event.type);
        break;
    }
}

const exit_fn arch_exit_table[] = {
    [KVM_EXIT_MMIO] = exit_mmio,
    [KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
    [KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
    [KVM_EXIT_SYSTEM_EVENT] = exit_system_event,
    [KVM_EXIT_RISCV_SBI] = exit_sbi,
    [KVM_EXIT_RISCV_CSR] = exit_csr,
};

const size_t arch_exit_count = sizeof(arch_exit_table) / sizeof(arch_exit_table[0]);

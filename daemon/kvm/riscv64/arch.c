/*
 * riscv64: what a VM and its vCPUs need before the first instruction. KVM's vCPUs have supervisor
 * and user mode; machine mode's services, the SBI, are KVM's but for those that exit
 * (exit_table.c).
 */
#include "kvm/arch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <linux/kvm.h>

#include "guests/riscv64/board.h"
#include "kvm/machine.h"
#include "kvm/riscv64/boot_registers.h"
#include "kvm/riscv64/one_reg.h"

const char arch_name[] = "riscv64";
const char arch_kvm_module[] = "kvm";
const gpa_t arch_memory_base = GUEST_MEMORY_BASE;

const struct kvm_capability arch_capabilities[] = {
    { KVM_CAP_ONE_REG, "one_reg", 1 },
    { KVM_CAP_MP_STATE, "mp_state", 1 },
    { KVM_CAP_READONLY_MEM, "readonly_mem", 0 },
};

const size_t arch_capability_count = sizeof(arch_capabilities) / sizeof(arch_capabilities[0]);

static_assert(sizeof(arch_capabilities) / sizeof(arch_capabilities[0]) <= KVM_CAPABILITY_ARCH_MAX,
              "kvm/kvm_host.h has room for as many");

int arch_open_host(int kvm_fd, void **ret, struct error *err)
{
    (void)kvm_fd, (void)err;
    *ret = NULL;
    return 0;
}

int arch_init_vm(struct machine *machine, struct error *err)
{
    (void)machine, (void)err;
    return 0;
}

/* The debug console has to be asked for. A kernel before Linux 6.8 has none, and guests see that.
 */
int arch_init_vcpu(struct vcpu *vcpu, struct error *err)
{
    (void)err;
    (void)one_reg_set(vcpu, KVM_REG_RISCV_SBI_EXT | KVM_RISCV_SBI_EXT_DBCN, 1);
    return 0;
}

int arch_prepare_boot(struct machine *machine, const struct boot *boot, struct error *err)
{
    (void)machine, (void)boot, (void)err;
    return 0;
}

/* All else is as KVM resets it: supervisor mode, satp and sie 0. */
int arch_boot_vcpu(struct vcpu *vcpu, const struct boot *boot, struct error *err)
{
    const struct {
        uint64_t id;
        uint64_t value;
    } rows[] = {
        { ONE_REG_CORE(regs.pc), boot->entry },
        { ONE_REG_CORE(regs.sp), boot->stack },
        { ONE_REG_CORE(regs.a0), boot->arguments[BOOT_A0] },
        { ONE_REG_CORE(regs.a1), boot->arguments[BOOT_A1] },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!one_reg_set(vcpu, rows[i].id, rows[i].value))
            return error_set(err, -ENODEV, "KVM_SET_ONE_REG: %s", strerror(errno));
    return 0;
}

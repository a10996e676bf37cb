#include "kvm/riscv64/hart.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "kvm/riscv64/one_reg.h"
#include "kvm/vcpu.h"

/* Single letters first, in the order of the Unprivileged manual's "ISA Extension Naming
 * Conventions". Those that ask for more than a name in the device tree are left out. */
static const struct {
    unsigned id;
    char name[16];
} extensions[] = {
    { KVM_RISCV_ISA_EXT_I, "i" },
    { KVM_RISCV_ISA_EXT_M, "m" },
    { KVM_RISCV_ISA_EXT_A, "a" },
    { KVM_RISCV_ISA_EXT_F, "f" },
    { KVM_RISCV_ISA_EXT_D, "d" },
    { KVM_RISCV_ISA_EXT_C, "c" },
    { KVM_RISCV_ISA_EXT_ZICNTR, "_zicntr" },
    { KVM_RISCV_ISA_EXT_ZICSR, "_zicsr" },
    { KVM_RISCV_ISA_EXT_ZIFENCEI, "_zifencei" },
    { KVM_RISCV_ISA_EXT_ZIHINTPAUSE, "_zihintpause" },
    { KVM_RISCV_ISA_EXT_ZIHPM, "_zihpm" },
    { KVM_RISCV_ISA_EXT_ZBA, "_zba" },
    { KVM_RISCV_ISA_EXT_ZBB, "_zbb" },
    { KVM_RISCV_ISA_EXT_ZBS, "_zbs" },
    { KVM_RISCV_ISA_EXT_ZKR, "_zkr" },
    { KVM_RISCV_ISA_EXT_SSTC, "_sstc" },
    { KVM_RISCV_ISA_EXT_SVINVAL, "_svinval" },
    { KVM_RISCV_ISA_EXT_SVNAPOT, "_svnapot" },
    { KVM_RISCV_ISA_EXT_SVPBMT, "_svpbmt" },
};

enum { EXTENSION_COUNT = sizeof(extensions) / sizeof(extensions[0]) };

static_assert(sizeof("rv64") + EXTENSION_COUNT * sizeof(extensions[0].name) <=
                  sizeof(((struct hart_description *)NULL)->isa),
              "room for all names");

static void describe_isa(const struct vcpu *vcpu, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "rv64");

    for (size_t i = 0; i < EXTENSION_COUNT; i++) {
        uint64_t enabled;

        if (one_reg_get(vcpu, KVM_REG_RISCV_ISA_EXT | extensions[i].id, &enabled) && enabled)
            used += (size_t)snprintf(text + used, size - used, "%s", extensions[i].name);
    }
}

/* By satp's number of it: Privileged, "Supervisor Address Translation and Protection Register". */
static const char *describe_mmu(const struct vcpu *vcpu)
{
    uint64_t mode;

    if (!one_reg_get(vcpu, ONE_REG_CONFIG(satp_mode), &mode))
        return "riscv,sv39";
    return mode == 10 ? "riscv,sv57" : mode == 9 ? "riscv,sv48" : "riscv,sv39";
}

void hart_describe(const struct vcpu *vcpu, struct hart_description *ret)
{
    ret->timebase_hz = 0;
    (void)one_reg_get(vcpu, ONE_REG_TIMER(frequency), &ret->timebase_hz);
    describe_isa(vcpu, ret->isa, sizeof(ret->isa));
    ret->mmu = describe_mmu(vcpu);
}

void hart_interrupt(const struct vcpu *vcpu, bool level)
{
    struct kvm_interrupt interrupt = {
        .irq = (uint32_t)(level ? KVM_INTERRUPT_SET : KVM_INTERRUPT_UNSET),
    };

    /* api.rst section 4.16; the one vCPU ioctl that may come from another thread */
    (void)ioctl(vcpu->fd, KVM_INTERRUPT, &interrupt);
}

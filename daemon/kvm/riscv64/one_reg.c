#include "kvm/riscv64/one_reg.h"

#include <sys/ioctl.h>

#include "kvm/vcpu.h"

static struct kvm_one_reg one_reg(uint64_t id, const uint64_t *value)
{
    return (struct kvm_one_reg){
        .id = KVM_REG_RISCV | KVM_REG_SIZE_U64 | id,
        .addr = (uintptr_t)value,
    };
}

bool one_reg_get(const struct vcpu *vcpu, uint64_t id, uint64_t *ret)
{
    uint64_t value = 0;
    struct kvm_one_reg reg = one_reg(id, &value);

    if (ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) < 0)
        return false;
    *ret = value;
    return true;
}

bool one_reg_set(const struct vcpu *vcpu, uint64_t id, uint64_t value)
{
    struct kvm_one_reg reg = one_reg(id, &value);

    return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) == 0;
}

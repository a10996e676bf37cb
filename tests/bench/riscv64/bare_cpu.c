#include "bare_cpu.h"

#include <stddef.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "guests/riscv64/board.h"

const uint64_t bare_cpu_memory_base = GUEST_MEMORY_BASE;
const uint64_t bare_cpu_load_address = GUEST_MEMORY_BASE;
const uint32_t bare_cpu_last_exit = KVM_EXIT_MMIO; /* the test finisher */

void bare_cpu_set_registers(int vcpu_fd)
{
    const uint64_t pc = GUEST_MEMORY_BASE;
    struct kvm_one_reg reg = {
        .id =
            KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CORE | KVM_REG_RISCV_CORE_REG(regs.pc),
        .addr = (uintptr_t)&pc,
    };

    bare_must(ioctl(vcpu_fd, KVM_SET_ONE_REG, &reg), "KVM_SET_ONE_REG");
}

#include "bare_cpu.h"

#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "guests/x86/board.h"

const uint64_t bare_cpu_memory_base = 0;
const uint64_t bare_cpu_load_address = GUEST_LOAD_ADDRESS;
const uint32_t bare_cpu_last_exit = KVM_EXIT_HLT;

void bare_cpu_set_registers(int vcpu_fd)
{
    struct kvm_regs regs = { .rip = GUEST_LOAD_ADDRESS, .rsp = GUEST_LOAD_ADDRESS, .rflags = 2 };
    struct kvm_sregs sregs;

    bare_must(ioctl(vcpu_fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cs.base = sregs.cs.selector = 0;
    bare_must(ioctl(vcpu_fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    bare_must(ioctl(vcpu_fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

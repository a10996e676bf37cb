#include "bare_vm.h"

#include <err.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "guests/hypercall.h"
#include "guests/x86/board.h"

static int must(int result, const char *what)
{
    if (result < 0)
        err(1, "%s", what);
    return result;
}

static void *must_map(void *map, const char *what)
{
    if (map == MAP_FAILED)
        err(1, "%s", what);
    return map;
}

static void set_registers(int vcpu)
{
    struct kvm_regs regs = { .rip = GUEST_LOAD_ADDRESS, .rsp = GUEST_LOAD_ADDRESS, .rflags = 2 };
    struct kvm_sregs sregs;

    must(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cs.base = sregs.cs.selector = 0;
    must(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    must(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

void bare_vm_run(int kvm_fd, const void *image, size_t size)
{
    struct kvm_userspace_memory_region region = { .memory_size = GUEST_MEMORY_DEFAULT };
    int run_size = must(ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    int vm = must(ioctl(kvm_fd, KVM_CREATE_VM, 0), "KVM_CREATE_VM"), vcpu;
    struct kvm_run *run;
    char *memory;

    memory = must_map(mmap(NULL, GUEST_MEMORY_DEFAULT, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                      "guest memory");
    memcpy(memory + GUEST_LOAD_ADDRESS, image, size);
    region.userspace_addr = (uintptr_t)memory;
    must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");

    vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    run =
        must_map(mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0), "vCPU");
    set_registers(vcpu);
    must(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
    if (run->exit_reason != KVM_EXIT_HLT)
        errx(1, "the guest made exit %u instead of halting", run->exit_reason);

    munmap(run, (size_t)run_size);
    close(vcpu);
    close(vm);
    munmap(memory, GUEST_MEMORY_DEFAULT);
}

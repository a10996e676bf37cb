#include "bare_vm.h"

#include <err.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "bare_cpu.h"
#include "guests/hypercall.h"

int bare_must(int result, const char *what)
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

void bare_vm_run(int kvm_fd, const void *image, size_t size)
{
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = bare_cpu_memory_base,
        .memory_size = GUEST_MEMORY_DEFAULT,
    };
    int run_size = bare_must(ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    int vm = bare_must(ioctl(kvm_fd, KVM_CREATE_VM, 0), "KVM_CREATE_VM"), vcpu;
    struct kvm_run *run;
    char *memory;

    memory = must_map(mmap(NULL, GUEST_MEMORY_DEFAULT, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                      "guest memory");
    memcpy(memory + (bare_cpu_load_address - bare_cpu_memory_base), image, size);
    region.userspace_addr = (uintptr_t)memory;
    bare_must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");

    vcpu = bare_must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    run =
        must_map(mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0), "vCPU");
    bare_cpu_set_registers(vcpu);
    bare_must(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
    if (run->exit_reason != bare_cpu_last_exit)
        errx(1, "the guest made exit %u, not %u, its last", run->exit_reason, bare_cpu_last_exit);

    munmap(run, (size_t)run_size);
    close(vcpu);
    close(vm);
    munmap(memory, GUEST_MEMORY_DEFAULT);
}

/*
 * x86: what a VM and its vCPU need before the first instruction.
 */
#include "kvm/arch.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "kvm/machine.h"

const char arch_name[] = "x86-64";
const gpa_t arch_memory_base = 0;

const struct kvm_capability arch_capabilities[] = {
    { KVM_CAP_SYNC_REGS, "sync_regs", 1 },
    { KVM_CAP_SET_TSS_ADDR, "set_tss_addr", 1 },
    { KVM_CAP_SET_IDENTITY_MAP_ADDR, "set_identity_map_addr", 1 },
    { KVM_CAP_INTERNAL_ERROR_DATA, "internal_error_data", 0 },
};

const size_t arch_capability_count = sizeof(arch_capabilities) / sizeof(arch_capabilities[0]);

/*
 * Four pages that KVM needs on Intel hosts without "unrestricted guest": below 4 GiB, where no
 * memory or device of ours is (api.rst sections 4.34 KVM_SET_TSS_ADDR, 4.41
 * KVM_SET_IDENTITY_MAP_ADDR). Where QEMU puts them, too.
 */
#define IDENTITY_MAP_ADDRESS UINT64_C(0xfffbc000)
#define TSS_ADDRESS          (IDENTITY_MAP_ADDRESS + 0x1000)

int arch_init_vm(struct machine *machine, struct error *err)
{
    uint64_t identity_map = IDENTITY_MAP_ADDRESS;

    if (ioctl(machine->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
        return error_set(err, -ENODEV, "KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(errno));
    if (ioctl(machine->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0)
        return error_set(err, -ENODEV, "KVM_SET_TSS_ADDR: %s", strerror(errno));
    return 0;
}

/*
 * Real mode as after reset (Intel SDM vol. 3A, "Processor State After Reset"), but with CS 0: the
 * image's addresses are then its offsets.
 */
static void enter_real_mode(struct kvm_sregs *sregs)
{
    sregs->cs.base = 0;
    sregs->cs.selector = 0;
}

int arch_boot_vcpu(struct machine *machine, const struct boot *boot, struct error *err)
{
    struct kvm_sync_regs *sync = &machine->run->s.regs;

    if (ioctl(machine->vcpu_fd, KVM_GET_SREGS, &sync->sregs) < 0)
        return error_set(err, -ENODEV, "KVM_GET_SREGS: %s", strerror(errno));
    switch (boot->mode) {
    case BOOT_REAL:
        enter_real_mode(&sync->sregs);
        break;
    case BOOT_PROTECTED:
    case BOOT_LONG:
    case BOOT_RESET:
        return error_set(err, -ENODEV, "vmmd cannot enter this mode of the CPU yet");
    }
    sync->regs = (struct kvm_regs){
        .rip = boot->entry,
        .rsp = boot->stack,
        .rflags = 2, /* bit 1 is always set: SDM vol. 1, "EFLAGS Register" */
    };
    /* handed over by the first KVM_RUN, and back by each: api.rst section 5, kvm_valid_regs */
    machine->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
    machine->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
    return 0;
}

static void dump_general(const struct kvm_regs *regs, struct register_dump *ret)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "rip", regs->rip }, { "rflags", regs->rflags }, { "rax", regs->rax },
        { "rbx", regs->rbx }, { "rcx", regs->rcx },       { "rdx", regs->rdx },
        { "rsi", regs->rsi }, { "rdi", regs->rdi },       { "rbp", regs->rbp },
        { "rsp", regs->rsp }, { "r8", regs->r8 },         { "r9", regs->r9 },
        { "r10", regs->r10 }, { "r11", regs->r11 },       { "r12", regs->r12 },
        { "r13", regs->r13 }, { "r14", regs->r14 },       { "r15", regs->r15 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        register_dump_add(ret, rows[i].name, rows[i].value);
}

static void dump_special(const struct kvm_sregs *sregs, struct register_dump *ret)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "cs", sregs->cs.selector }, { "ds", sregs->ds.selector }, { "es", sregs->es.selector },
        { "fs", sregs->fs.selector }, { "gs", sregs->gs.selector }, { "ss", sregs->ss.selector },
        { "csbase", sregs->cs.base }, { "cr0", sregs->cr0 },        { "cr2", sregs->cr2 },
        { "cr3", sregs->cr3 },        { "cr4", sregs->cr4 },        { "efer", sregs->efer },
        { "gdt", sregs->gdt.base },   { "idt", sregs->idt.base },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        register_dump_add(ret, rows[i].name, rows[i].value);
}

void arch_dump_registers(struct machine *machine, struct register_dump *ret)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs;

    ret->count = 0;
    if (ioctl(machine->vcpu_fd, KVM_GET_REGS, &regs) == 0)
        dump_general(&regs, ret);
    if (ioctl(machine->vcpu_fd, KVM_GET_SREGS, &sregs) == 0)
        dump_special(&sregs, ret);
}

#include "kvm/x86/registers.h"

#include <assert.h>
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "kvm/arch.h"
#include "kvm/guest_buffer.h"
#include "kvm/machine.h"
#include "kvm/x86/cpu.h"

unsigned registers_code_bits(const struct kvm_sregs *sregs)
{
    if (!(sregs->cr0 & CR0_PE))
        return 16;
    if (sregs->efer & EFER_LMA && sregs->cs.l)
        return 64;
    return sregs->cs.db ? 32 : 16;
}

/* All ones where the vCPU does not tell: as good as 64 bits of flat code. */
static unsigned code_bits(struct vcpu *vcpu)
{
    struct kvm_sregs sregs;

    return ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) == 0 ? registers_code_bits(&sregs) : 64;
}

/* KVM takes the registers over with the next KVM_RUN: api.rst section 5, kvm_dirty_regs. */
static void set_rax(struct vcpu *vcpu, uint64_t rax)
{
    vcpu->run->s.regs.regs.rax = rax;
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

void registers_set_word(struct vcpu *vcpu, uint16_t result)
{
    set_rax(vcpu, (vcpu->run->s.regs.regs.rax & ~UINT64_C(0xffff)) | result);
}

void registers_set_result(struct vcpu *vcpu, uint64_t result)
{
    switch (code_bits(vcpu)) {
    case 16:
        registers_set_word(vcpu, (uint16_t)result);
        break;
    case 32: /* writing EAX clears the upper half: SDM vol. 1, "General-Purpose Registers" */
        set_rax(vcpu, (uint32_t)result);
        break;
    default:
        set_rax(vcpu, result);
        break;
    }
}

static int read_special(struct vcpu *vcpu, struct kvm_sregs *ret)
{
    if (ioctl(vcpu->fd, KVM_GET_SREGS, ret) < 0)
        return -EFAULT;
    vcpu->paging = ret->cr0 & CR0_PG;
    return 0;
}

int arch_hypercall_buffer(struct vcpu *vcpu, uint64_t *ret_address, uint64_t *ret_size)
{
    const struct kvm_regs *regs = &vcpu->run->s.regs.regs;
    struct kvm_sregs sregs;

    if (read_special(vcpu, &sregs) < 0)
        return -EFAULT;
    switch (registers_code_bits(&sregs)) {
    case 16:
        *ret_address = sregs.ds.base + (regs->rsi & 0xffff);
        *ret_size = regs->rcx & 0xffff;
        break;
    case 32:
        *ret_address = (uint32_t)(sregs.ds.base + regs->rsi);
        *ret_size = (uint32_t)regs->rcx;
        break;
    default: /* DS has no base in 64-bit mode: SDM vol. 1, "Segmentation in 64-Bit Mode" */
        *ret_address = regs->rsi;
        *ret_size = regs->rcx;
        break;
    }
    return 0;
}

int arch_translate(struct vcpu *vcpu, uint64_t address, gpa_t *ret)
{
    struct kvm_translation translation = { .linear_address = address };

    if (!vcpu->paging) {
        *ret = address;
        return 0;
    }
    /* api.rst section 4.16; some microseconds each */
    if (ioctl(vcpu->fd, KVM_TRANSLATE, &translation) < 0 || !translation.valid)
        return -EFAULT;
    *ret = translation.physical_address;
    return 0;
}

/* Without interrupt controllers there, HLT is an exit. */
bool arch_waits_in_kvm(const struct machine_config *config)
{
    return config->interrupts;
}

bool arch_is_asleep(struct vcpu *vcpu)
{
    struct kvm_mp_state state;

    if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) < 0)
        return false;
    switch (state.mp_state) {
    case KVM_MP_STATE_HALTED:
        return !(vcpu->run->s.regs.regs.rflags & RFLAGS_IF);
    case KVM_MP_STATE_UNINITIALIZED: /* it waits for INIT, and then for SIPI */
    case KVM_MP_STATE_INIT_RECEIVED:
        return true;
    default:
        return false;
    }
}

/* It shuts down, which is an exit. */
bool arch_is_lost(struct vcpu *vcpu, bool gave_up)
{
    (void)vcpu, (void)gave_up;
    return false;
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

    static_assert(sizeof(rows) / sizeof(rows[0]) <= REGISTER_DUMP_MAX / 2, "rows of a dump");
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

    static_assert(sizeof(rows) / sizeof(rows[0]) <= REGISTER_DUMP_MAX / 2, "rows of a dump");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        register_dump_add(ret, rows[i].name, rows[i].value);
}

/* As many bytes from the instruction on as there are. */
static void dump_code(struct vcpu *vcpu, const struct kvm_regs *regs, const struct kvm_sregs *sregs,
                      struct register_dump *ret)
{
    unsigned bits = registers_code_bits(sregs);
    uint64_t address = bits == 64 ? regs->rip : (uint32_t)(sregs->cs.base + regs->rip);

    ret->code_bits = bits;
    ret->code_address = address;
    while (ret->code_size < REGISTER_DUMP_CODE_MAX &&
           guest_buffer_read(vcpu, address + ret->code_size, &ret->code[ret->code_size], 1) == 0)
        ret->code_size++;
}

void arch_dump_registers(struct vcpu *vcpu, struct register_dump *ret)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs;

    *ret = (struct register_dump){ 0 };
    if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
        return;
    dump_general(&regs, ret);
    if (read_special(vcpu, &sregs) < 0)
        return;
    dump_special(&sregs, ret);
    dump_code(vcpu, &regs, &sregs, ret);
}

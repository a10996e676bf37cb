/*
 * Registers of a riscv64 vCPU: where the guest is, and what it asks by hypercall.
 *
 * "Privileged" is the RISC-V Instruction Set Manual, volume II.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "kvm/arch.h"
#include "kvm/machine.h"
#include "kvm/riscv64/one_reg.h"
#include "kvm/riscv64/sbi.h"

/* The SBI's debug console has size and address the other way round. */
int arch_hypercall_buffer(struct vcpu *vcpu, uint64_t *ret_address, uint64_t *ret_size)
{
    const unsigned long *args = vcpu->run->riscv_sbi.args;

    if (vcpu->run->riscv_sbi.extension_id == SBI_EXTENSION_DBCN) {
        *ret_size = args[0];
        *ret_address = args[2] == 0 ? args[1] : UINT64_MAX; /* args[2]: bits 64 and up */
    } else {
        *ret_address = args[0];
        *ret_size = args[1];
    }
    return 0;
}

/* What the SBI passes is physical, whatever satp says. */
int arch_translate(struct vcpu *vcpu, uint64_t address, gpa_t *ret)
{
    (void)vcpu;
    *ret = address;
    return 0;
}

/* WFI waits in KVM, whatever the board. */
bool arch_waits_in_kvm(const struct machine_config *config)
{
    (void)config;
    return true;
}

/* Virtual memory: Privileged, "Sv39", "Sv48", "Sv57". */
#define SATP_MODE(satp) ((unsigned)((satp) >> 60))
#define SATP_PPN_MASK   ((UINT64_C(1) << 44) - 1)
#define PTE_VALID       UINT64_C(1)
#define PTE_LEAF        UINT64_C(0xe) /* readable, writable, executable: any of them */
#define PTE_PPN(pte)    ((pte) >> 10 & SATP_PPN_MASK)

enum {
    SATP_BARE = 0,
    SATP_SV39 = 8, /* 3 levels; each mode after it has one more */
    SATP_SV57 = 10,
    PAGE_BITS = 12,
    LEVEL_BITS = 9,
};

/* The guest physical address behind an address of the guest's program. Errors: -EFAULT. */
static int walk(struct vcpu *vcpu, uint64_t satp, uint64_t address, gpa_t *ret)
{
    uint64_t table = (satp & SATP_PPN_MASK) << PAGE_BITS, pte, rest;
    unsigned mode = SATP_MODE(satp), level = mode - SATP_SV39 + 3;

    if (mode < SATP_SV39 || mode > SATP_SV57)
        return -EFAULT;
    while (level-- > 0) {
        unsigned shift = PAGE_BITS + level * LEVEL_BITS;
        uint64_t index = address >> shift & ((1u << LEVEL_BITS) - 1);

        if (guest_memory_read(&vcpu->machine->memory, table + index * sizeof(pte), &pte,
                              sizeof(pte)) < 0 ||
            !(pte & PTE_VALID))
            return -EFAULT;
        table = PTE_PPN(pte) << PAGE_BITS;
        if (pte & PTE_LEAF) {
            rest = address & ((UINT64_C(1) << shift) - 1);
            *ret = (table & ~((UINT64_C(1) << shift) - 1)) | rest;
            return 0;
        }
    }
    return -EFAULT;
}

/* Reads what the guest's program has there; not across pages. Errors: -EFAULT. */
static int read_program(struct vcpu *vcpu, uint64_t address, void *data, size_t size)
{
    gpa_t gpa = address;
    uint64_t satp;
    int r = 0;

    if (!one_reg_get(vcpu, ONE_REG_CSR(satp), &satp))
        return -EFAULT;
    if (SATP_MODE(satp) != SATP_BARE)
        r = walk(vcpu, satp, address, &gpa);
    return r < 0 ? r : guest_memory_read(&vcpu->machine->memory, gpa, data, size);
}

/* Brought out of WFI, a vCPU stands behind it. Without a source enabled in sie it waits for ever.
 */
static bool waits_for_nothing(struct vcpu *vcpu)
{
    static const unsigned char wfi[] = { 0x73, 0x00, 0x50, 0x10 };
    unsigned char before[sizeof(wfi)];
    uint64_t pc, sie;

    return one_reg_get(vcpu, ONE_REG_CSR(sie), &sie) && sie == 0 &&
           one_reg_get(vcpu, ONE_REG_CORE(regs.pc), &pc) &&
           read_program(vcpu, pc - sizeof(wfi), before, sizeof(before)) == 0 &&
           memcmp(before, wfi, sizeof(wfi)) == 0;
}

bool arch_is_asleep(struct vcpu *vcpu)
{
    struct kvm_mp_state state;

    if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) < 0)
        return false;
    /* stopped: another hart has yet to start it, by the SBI's HSM */
    return state.mp_state == KVM_MP_STATE_STOPPED || waits_for_nothing(vcpu);
}

/* Privileged, "Supervisor Cause Register". */
enum { CAUSE_FETCH_ACCESS = 1, CAUSE_ILLEGAL_INSTRUCTION = 2, CAUSE_FETCH_PAGE_FAULT = 12 };

/*
 * The trap handler's first instruction cannot be fetched, or is none, and the trap that this is
 * goes there, too, without end. Linux 6.12's KVM gives up instead where the handler is to be in no
 * memory; later ones do not.
 */
bool arch_is_lost(struct vcpu *vcpu, bool gave_up)
{
    uint64_t pc, stvec, sepc, scause;
    unsigned char byte;

    if (!one_reg_get(vcpu, ONE_REG_CORE(regs.pc), &pc) ||
        !one_reg_get(vcpu, ONE_REG_CSR(stvec), &stvec) ||
        !one_reg_get(vcpu, ONE_REG_CSR(sepc), &sepc) ||
        !one_reg_get(vcpu, ONE_REG_CSR(scause), &scause))
        return false;
    if (pc != (stvec & ~UINT64_C(3))) /* the lowest bits are the mode */
        return false;
    if (gave_up)
        return read_program(vcpu, pc, &byte, sizeof(byte)) < 0;
    return sepc == pc && (scause == CAUSE_FETCH_ACCESS || scause == CAUSE_ILLEGAL_INSTRUCTION ||
                          scause == CAUSE_FETCH_PAGE_FAULT);
}

/* What debuggers show first comes first. */
static const struct {
    const char *name;
    uint64_t id;
} dumped[] = {
    { "pc", ONE_REG_CORE(regs.pc) },     { "ra", ONE_REG_CORE(regs.ra) },
    { "sp", ONE_REG_CORE(regs.sp) },     { "gp", ONE_REG_CORE(regs.gp) },
    { "tp", ONE_REG_CORE(regs.tp) },     { "a0", ONE_REG_CORE(regs.a0) },
    { "a1", ONE_REG_CORE(regs.a1) },     { "a2", ONE_REG_CORE(regs.a2) },
    { "a3", ONE_REG_CORE(regs.a3) },     { "a4", ONE_REG_CORE(regs.a4) },
    { "a5", ONE_REG_CORE(regs.a5) },     { "a6", ONE_REG_CORE(regs.a6) },
    { "a7", ONE_REG_CORE(regs.a7) },     { "t0", ONE_REG_CORE(regs.t0) },
    { "t1", ONE_REG_CORE(regs.t1) },     { "t2", ONE_REG_CORE(regs.t2) },
    { "t3", ONE_REG_CORE(regs.t3) },     { "t4", ONE_REG_CORE(regs.t4) },
    { "t5", ONE_REG_CORE(regs.t5) },     { "t6", ONE_REG_CORE(regs.t6) },
    { "s0", ONE_REG_CORE(regs.s0) },     { "s1", ONE_REG_CORE(regs.s1) },
    { "s2", ONE_REG_CORE(regs.s2) },     { "s3", ONE_REG_CORE(regs.s3) },
    { "s4", ONE_REG_CORE(regs.s4) },     { "s5", ONE_REG_CORE(regs.s5) },
    { "s6", ONE_REG_CORE(regs.s6) },     { "s7", ONE_REG_CORE(regs.s7) },
    { "s8", ONE_REG_CORE(regs.s8) },     { "s9", ONE_REG_CORE(regs.s9) },
    { "s10", ONE_REG_CORE(regs.s10) },   { "s11", ONE_REG_CORE(regs.s11) },
    { "mode", ONE_REG_CORE(mode) }, /* 0: user, 1: supervisor */
    { "sstatus", ONE_REG_CSR(sstatus) }, { "sie", ONE_REG_CSR(sie) },
    { "sip", ONE_REG_CSR(sip) },         { "stvec", ONE_REG_CSR(stvec) },
    { "sepc", ONE_REG_CSR(sepc) },       { "scause", ONE_REG_CSR(scause) },
    { "stval", ONE_REG_CSR(stval) },     { "satp", ONE_REG_CSR(satp) },
};

static_assert(sizeof(dumped) / sizeof(dumped[0]) <= REGISTER_DUMP_MAX, "rows of a dump");

static void dump_code(struct vcpu *vcpu, struct register_dump *ret)
{
    if (!one_reg_get(vcpu, ONE_REG_CORE(regs.pc), &ret->code_address))
        return;
    ret->code_bits = 64;
    while (ret->code_size < REGISTER_DUMP_CODE_MAX &&
           read_program(vcpu, ret->code_address + ret->code_size, &ret->code[ret->code_size], 1) ==
               0)
        ret->code_size++;
}

void arch_dump_registers(struct vcpu *vcpu, struct register_dump *ret)
{
    *ret = (struct register_dump){ 0 };
    for (size_t i = 0; i < sizeof(dumped) / sizeof(dumped[0]); i++) {
        uint64_t value;

        if (one_reg_get(vcpu, dumped[i].id, &value))
            register_dump_add(ret, dumped[i].name, value);
    }
    dump_code(vcpu, ret);
}

/*
 * x86: what a VM and its vCPUs need before the first instruction.
 */
#include "kvm/arch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "kvm/machine.h"
#include "kvm/x86/boot_registers.h"
#include "kvm/x86/cpu.h"
#include "kvm/x86/cpuid.h"

const char arch_name[] = "x86-64";
const char arch_kvm_module[] = "kvm-amd or kvm-intel";
const gpa_t arch_memory_base = 0;

const struct kvm_capability arch_capabilities[] = {
    { KVM_CAP_SYNC_REGS, "sync_regs", 1 },
    { KVM_CAP_SET_TSS_ADDR, "set_tss_addr", 1 },
    { KVM_CAP_SET_IDENTITY_MAP_ADDR, "set_identity_map_addr", 1 },
    { KVM_CAP_EXT_CPUID, "ext_cpuid", 1 },
    { KVM_CAP_INTERNAL_ERROR_DATA, "internal_error_data", 0 },
    { KVM_CAP_IRQCHIP, "irqchip", 0 },
    { KVM_CAP_PIT2, "pit2", 0 },
    { KVM_CAP_READONLY_MEM, "readonly_mem", 0 },
};

const size_t arch_capability_count = sizeof(arch_capabilities) / sizeof(arch_capabilities[0]);

static_assert(sizeof(arch_capabilities) / sizeof(arch_capabilities[0]) <= KVM_CAPABILITY_ARCH_MAX,
              "kvm/kvm_host.h has room for as many");

/*
 * Four pages that KVM needs on Intel hosts without "unrestricted guest": below 4 GiB, where no
 * memory or device of ours is (api.rst sections 4.34 KVM_SET_TSS_ADDR, 4.41
 * KVM_SET_IDENTITY_MAP_ADDR). Where QEMU puts them, too.
 */
#define IDENTITY_MAP_ADDRESS UINT64_C(0xfffbc000)
#define TSS_ADDRESS          (IDENTITY_MAP_ADDRESS + 0x1000)

/*
 * What a guest that does not begin in real mode finds made: a GDT, and for long mode page tables
 * that map the first 4 GiB to themselves. In memory of their own, so that an image may lie anywhere
 * in the guest's.
 */
#define TABLES_ADDRESS UINT64_C(0xfffb0000)
#define PAGE           UINT64_C(0x1000)

enum {
    TABLE_GDT,
    TABLE_PML4,
    TABLE_PDPT,
    TABLE_PD, /* four of them, 1 GiB each */
    TABLES = TABLE_PD + 4,
};

/* Present, writable, large, and marked as used already, so that nothing has to be written to them
 * (SDM vol. 3A, "4-Level Paging and 5-Level Paging"). */
#define ENTRY_TABLE UINT64_C(0x23)
#define ENTRY_LARGE UINT64_C(0xe3)
#define LARGE_PAGE  UINT64_C(0x200000)

/* The selectors that Linux's boot protocol asks for (boot.rst, "64-bit Boot Protocol"). */
enum { SELECTOR_CODE = 0x10, SELECTOR_DATA = 0x18, GDT_ENTRIES = 4 };

/* Flat, 4 GiB, present, ring 0, accessed: SDM vol. 3A, "Segment Descriptors". */
#define DESCRIPTOR_CODE_32 UINT64_C(0x00cf9b000000ffff)
#define DESCRIPTOR_CODE_64 UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_DATA    UINT64_C(0x00cf93000000ffff)

int arch_open_host(int kvm_fd, void **ret, struct error *err)
{
    return cpuid_open(kvm_fd, (struct kvm_cpuid2 **)ret, err);
}

/* PIC, IOAPIC and a local APIC for each vCPU; the timer, whose port 0x61 is KVM's, too (api.rst
 * sections 4.24 KVM_CREATE_IRQCHIP, 4.71 KVM_CREATE_PIT2). */
static int create_interrupts(struct machine *machine, struct error *err)
{
    struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

    if (!kvm_host_capability(machine->host, KVM_CAP_IRQCHIP) ||
        !kvm_host_capability(machine->host, KVM_CAP_PIT2))
        return error_set_about(err, "machine", -ENODEV,
                               "machine 'pc' needs KVM's irqchip and pit2, which this host lacks; "
                               "'bare' does without");
    if (ioctl(machine->vm_fd, KVM_CREATE_IRQCHIP) < 0)
        return error_set(err, -ENODEV, "KVM_CREATE_IRQCHIP: %s", strerror(errno));
    if (ioctl(machine->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
        return error_set(err, -ENODEV, "KVM_CREATE_PIT2: %s", strerror(errno));
    return 0;
}

int arch_init_vm(struct machine *machine, struct error *err)
{
    uint64_t identity_map = IDENTITY_MAP_ADDRESS;

    if (ioctl(machine->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
        return error_set(err, -ENODEV, "KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(errno));
    if (ioctl(machine->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0)
        return error_set(err, -ENODEV, "KVM_SET_TSS_ADDR: %s", strerror(errno));
    return machine->config.interrupts ? create_interrupts(machine, err) : 0;
}

int arch_init_vcpu(struct vcpu *vcpu, struct error *err)
{
    const struct machine *machine = vcpu->machine;

    /* each KVM_RUN hands them over: api.rst section 5, kvm_valid_regs */
    vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
    return cpuid_set(vcpu->fd, machine->host->arch, vcpu->index, machine->config.cpus, err);
}

static void fill_gdt(uint64_t *gdt, enum boot_mode mode)
{
    gdt[SELECTOR_CODE / 8] = mode == BOOT_LONG ? DESCRIPTOR_CODE_64 : DESCRIPTOR_CODE_32;
    gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
}

static uint64_t table_address(unsigned table)
{
    return TABLES_ADDRESS + table * PAGE;
}

static int write_table(struct guest_memory *memory, unsigned table, const uint64_t *entries)
{
    return guest_memory_write(memory, table_address(table), entries, PAGE);
}

static int write_page_tables(struct guest_memory *memory)
{
    uint64_t entries[PAGE / 8] = { table_address(TABLE_PDPT) | ENTRY_TABLE };
    int r = write_table(memory, TABLE_PML4, entries);

    for (unsigned i = 0; i < 4; i++)
        entries[i] = table_address(TABLE_PD + i) | ENTRY_TABLE;
    if (r == 0)
        r = write_table(memory, TABLE_PDPT, entries);
    for (uint64_t i = 0; i < 4 && r == 0; i++) {
        for (uint64_t j = 0; j < PAGE / 8; j++)
            entries[j] = (i * (PAGE / 8) + j) * LARGE_PAGE | ENTRY_LARGE;
        r = write_table(memory, TABLE_PD + (unsigned)i, entries);
    }
    return r;
}

int arch_prepare_boot(struct machine *machine, const struct boot *boot, struct error *err)
{
    uint64_t gdt[GDT_ENTRIES] = { 0 };
    int r;

    if (boot->mode == BOOT_REAL || boot->mode == BOOT_RESET)
        return 0;
    r = guest_memory_add_tables(&machine->memory, TABLES_ADDRESS, TABLES * PAGE, err);
    if (r < 0)
        return r;
    fill_gdt(gdt, boot->mode);
    r = guest_memory_write(&machine->memory, table_address(TABLE_GDT), gdt, sizeof(gdt));
    if (r == 0 && boot->mode == BOOT_LONG)
        r = write_page_tables(&machine->memory);
    return r;
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

static struct kvm_segment segment_of(uint64_t descriptor, uint16_t selector)
{
    return (struct kvm_segment){
        .limit = 0xffffffff,
        .selector = selector,
        .type = descriptor >> 40 & 0xf,
        .s = 1,
        .present = 1,
        .l = descriptor >> 53 & 1,
        .db = descriptor >> 54 & 1,
        .g = 1,
    };
}

static void load_segments(struct kvm_sregs *sregs, enum boot_mode mode)
{
    uint64_t gdt[GDT_ENTRIES] = { 0 };

    fill_gdt(gdt, mode);
    sregs->gdt = (struct kvm_dtable){ .base = table_address(TABLE_GDT), .limit = sizeof(gdt) - 1 };
    sregs->cs = segment_of(gdt[SELECTOR_CODE / 8], SELECTOR_CODE);
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss =
        segment_of(DESCRIPTOR_DATA, SELECTOR_DATA);
    /* none: what is in the table after reset is of real mode's */
    sregs->idt = (struct kvm_dtable){ 0 };
}

static void enter_protected_mode(struct kvm_sregs *sregs)
{
    load_segments(sregs, BOOT_PROTECTED);
    sregs->cr0 = CR0_PE | CR0_ET;
}

static void enter_long_mode(struct kvm_sregs *sregs)
{
    load_segments(sregs, BOOT_LONG);
    sregs->cr3 = table_address(TABLE_PML4);
    sregs->cr4 |= CR4_PAE;
    sregs->cr0 = CR0_PG | CR0_PE | CR0_ET;
    sregs->efer |= EFER_LME | EFER_LMA;
}

/* 16 bytes below 4 GiB: Intel SDM vol. 3A, "First Instruction Executed". */
#define RESET_IP 0xfff0

int arch_boot_vcpu(struct vcpu *vcpu, const struct boot *boot, struct error *err)
{
    struct kvm_sync_regs *sync = &vcpu->run->s.regs;

    if (ioctl(vcpu->fd, KVM_GET_SREGS, &sync->sregs) < 0)
        return error_set(err, -ENODEV, "KVM_GET_SREGS: %s", strerror(errno));
    switch (boot->mode) {
    case BOOT_REAL:
        enter_real_mode(&sync->sregs);
        break;
    case BOOT_PROTECTED:
        enter_protected_mode(&sync->sregs);
        break;
    case BOOT_LONG:
        enter_long_mode(&sync->sregs);
        break;
    case BOOT_SUPERVISOR: /* another architecture's */
    case BOOT_RESET:      /* segments are as reset left them */
        break;
    }
    sync->regs = (struct kvm_regs){
        .rip = boot->mode == BOOT_RESET ? RESET_IP : boot->entry,
        .rsp = boot->stack,
        .rax = boot->arguments[BOOT_RAX],
        .rbx = boot->arguments[BOOT_RBX],
        .rsi = boot->arguments[BOOT_RSI],
        .rflags = 2, /* bit 1 is always set: SDM vol. 1, "EFLAGS Register" */
    };
    /* the first KVM_RUN takes them over: api.rst section 5, kvm_dirty_regs */
    vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
    return 0;
}

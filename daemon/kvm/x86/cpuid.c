#include "kvm/x86/cpuid.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "util/cleanup.h"

static struct kvm_cpuid2 *new_cpuid(void)
{
    return calloc(1,
                  sizeof(struct kvm_cpuid2) + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));
}

int cpuid_open(int kvm_fd, struct kvm_cpuid2 **ret, struct error *err)
{
    struct kvm_cpuid2 *cpuid = new_cpuid();

    if (!cpuid)
        return error_set(err, -ENOMEM, "out of memory");
    cpuid->nent = CPUID_ENTRIES_MAX;
    if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
        free(cpuid);
        return error_set(err, -ENODEV, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
    }
    *ret = cpuid;
    return 0;
}

/* Bits that an APIC id takes to tell the cores apart. */
static unsigned core_bits(unsigned cpus)
{
    unsigned bits = 0;

    while (1u << bits < cpus)
        bits++;
    return bits;
}

/* Who shares a cache, less one: below the last level, none; of the last, all cores. */
static uint32_t place_cache(uint32_t eax, unsigned bits)
{
    unsigned type = eax & 0x1f, level = eax >> 5 & 7;

    if (type == 0) /* there is no such cache */
        return eax;
    return (eax & ~(UINT32_C(0xfff) << 14)) | (level >= 3 ? (1u << bits) - 1 : 0) << 14;
}

/* Topology, leaf by leaf: Intel SDM vol. 2A, "CPUID"; AMD's APM vol. 3, appendix E. */
static void place(struct kvm_cpuid_entry2 *entry, unsigned index, unsigned cpus)
{
    const unsigned bits = core_bits(cpus);

    switch (entry->function) {
    case 0x1: /* EBX: APIC id, logical processors; EDX bit 28: there is more than one; ECX bit 31:
               * look at 0x40000000 for KVM, whose clock spares a kernel to measure one. KVM knows
               * the bit and does not report it */
        entry->ecx |= 1u << 31;
        entry->ebx = (entry->ebx & 0xffff) | cpus << 16 | index << 24;
        entry->edx = cpus > 1 ? entry->edx | 1u << 28 : entry->edx & ~(1u << 28);
        break;
    case 0x4: /* EAX bits 26 to 31: cores of the package, less one */
        entry->eax = place_cache(entry->eax, bits);
        if (entry->eax != 0)
            entry->eax = (entry->eax & 0x3ffffff) | ((1u << bits) - 1) << 26;
        break;
    case 0x8000001d:
        entry->eax = place_cache(entry->eax, bits);
        break;
    case 0x80000008: /* ECX: cores of the package, less one; bits of the APIC id for them */
        entry->ecx = (entry->ecx & ~0xf0ffu) | (cpus - 1) | bits << 12;
        break;
    case 0x8000001e: /* the extended APIC id; the core, of one thread; the node */
        entry->eax = index;
        entry->ebx = index;
        entry->ecx = 0;
        break;
    }
}

/*
 * Leaf 0xb whole, as KVM has only the beginning of it: level 0, threads of a core, one; level 1,
 * cores, all. KVM answers for the levels above that there are none (arch/x86/kvm/cpuid.c,
 * kvm_cpuid()).
 */
static void add_levels(struct kvm_cpuid2 *cpuid, unsigned index, unsigned cpus)
{
    for (unsigned level = 0; level < 2 && cpuid->nent < CPUID_ENTRIES_MAX; level++)
        cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
            .function = 0xb,
            .index = level,
            .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
            .eax = level == 0 ? 0 : core_bits(cpus),
            .ebx = level == 0 ? 1 : cpus,
            .ecx = level | (level + 1) << 8,
            .edx = index,
        };
}

void cpuid_fill(const struct kvm_cpuid2 *supported, unsigned index, unsigned cpus,
                struct kvm_cpuid2 *ret)
{
    bool has_levels = false;

    ret->nent = 0;
    for (unsigned i = 0; i < supported->nent; i++) {
        uint32_t function = supported->entries[i].function;

        if (function == 0xb)
            has_levels = true;
        else if (function != 0x1f) /* left out, it says to look at 0xb */
            ret->entries[ret->nent++] = supported->entries[i];
    }
    for (unsigned i = 0; i < ret->nent; i++)
        place(&ret->entries[i], index, cpus);
    if (has_levels)
        add_levels(ret, index, cpus);
}

int cpuid_set(int vcpu_fd, const struct kvm_cpuid2 *supported, unsigned index, unsigned cpus,
              struct error *err)
{
    _cleanup_free_ struct kvm_cpuid2 *cpuid = new_cpuid();

    if (!cpuid)
        return error_set(err, -ENOMEM, "out of memory");
    cpuid_fill(supported, index, cpus, cpuid);
    if (ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid) < 0)
        return error_set(err, -ENODEV, "KVM_SET_CPUID2: %s", strerror(errno));
    return 0;
}

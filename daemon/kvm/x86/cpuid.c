#include "kvm/x86/cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

enum { ENTRIES_MAX = 256 }; /* KVM_MAX_CPUID_ENTRIES */

int cpuid_open(int kvm_fd, struct kvm_cpuid2 **ret, struct error *err)
{
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof(*cpuid) + ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));

    if (!cpuid)
        return error_set(err, -ENOMEM, "out of memory");
    cpuid->nent = ENTRIES_MAX;
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

/* Topology, leaf by leaf: Intel SDM vol. 2A, "CPUID"; AMD's APM vol. 3, appendix E. */
static void place(struct kvm_cpuid_entry2 *entry, unsigned index, unsigned cpus)
{
    const unsigned bits = core_bits(cpus);

    switch (entry->function) {
    case 0x1: /* EBX: APIC id, logical processors; EDX bit 28: there is more than one */
        entry->ebx = (entry->ebx & 0xffff) | cpus << 16 | index << 24;
        entry->edx = cpus > 1 ? entry->edx | 1u << 28 : entry->edx & ~(1u << 28);
        break;
    case 0x4: /* EAX: cores of the package, less one; caches below the last are a core's own */
        entry->eax = (entry->eax & 0x3fff) | ((1u << bits) - 1) << 26;
        if ((entry->eax >> 5 & 7) >= 3)
            entry->eax |= ((1u << bits) - 1) << 14;
        break;
    case 0xb:
    case 0x1f: /* threads: one; cores: all */
        entry->eax = entry->index == 1 ? bits : 0;
        entry->ebx = entry->index == 0 ? 1 : entry->index == 1 ? cpus : 0;
        entry->ecx = entry->index | (entry->index < 2 ? (entry->index + 1) << 8 : 0);
        entry->edx = index;
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

int cpuid_set(int vcpu_fd, const struct kvm_cpuid2 *supported, unsigned index, unsigned cpus,
              struct error *err)
{
    struct {
        struct kvm_cpuid2 header;
        struct kvm_cpuid_entry2 entries[ENTRIES_MAX];
    } cpuid;

    cpuid.header = (struct kvm_cpuid2){ .nent = supported->nent };
    memcpy(cpuid.entries, supported->entries, supported->nent * sizeof(cpuid.entries[0]));
    for (unsigned i = 0; i < supported->nent; i++)
        place(&cpuid.entries[i], index, cpus);
    if (ioctl(vcpu_fd, KVM_SET_CPUID2, &cpuid) < 0)
        return error_set(err, -ENODEV, "KVM_SET_CPUID2: %s", strerror(errno));
    return 0;
}

#include "unit_test.h"

#include <stdbool.h>
#include <stdlib.h>

#include <linux/kvm.h>

#include "kvm/x86/cpuid.h"

/* What a guest finds: KVM's own search among what it was given. */
static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *cpuid, uint32_t function,
                                           uint32_t index)
{
    const struct kvm_cpuid_entry2 *found = NULL;

    for (uint32_t i = 0; i < cpuid->nent; i++) {
        const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

        if (entry->function != function ||
            ((entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) && entry->index != index))
            continue;
        assert_null(found);
        found = entry;
    }
    return found;
}

static struct kvm_cpuid2 *new_cpuid(void)
{
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof(struct kvm_cpuid2) + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));

    assert_non_null(cpuid);
    return cpuid;
}

/* What vCPU `index` of `cpus` says on a host that says `rows`. Freed by free(3). */
static struct kvm_cpuid2 *fill(const struct kvm_cpuid_entry2 *rows, uint32_t count, unsigned index,
                               unsigned cpus)
{
    struct kvm_cpuid2 *supported = new_cpuid(), *cpuid = new_cpuid();

    supported->nent = count;
    for (uint32_t i = 0; i < count; i++)
        supported->entries[i] = rows[i];
    cpuid_fill(supported, index, cpus, cpuid);
    free(supported);
    return cpuid;
}

/* The answer to one leaf, given the host's. */
static struct kvm_cpuid_entry2 fill_one(struct kvm_cpuid_entry2 row, unsigned index, unsigned cpus)
{
    struct kvm_cpuid2 *cpuid = fill(&row, 1, index, cpus);
    const struct kvm_cpuid_entry2 *found = find(cpuid, row.function, row.index);
    struct kvm_cpuid_entry2 entry = { 0 };

    if (found)
        entry = *found;
    free(cpuid);
    return entry;
}

static void each_cpu_has_its_apic_id_in_leaf_1(void **state)
{
    const struct kvm_cpuid_entry2 host = { .function = 1, .ebx = 0x01020800, .edx = 0x078bfbff };

    (void)state;
    for (unsigned index = 0; index < 4; index++) {
        struct kvm_cpuid_entry2 entry = fill_one(host, index, 4);

        assert_int_equal(entry.ebx >> 24, index);
        assert_int_equal(entry.ebx >> 16 & 0xff, 4);
        assert_int_equal(entry.ebx & 0xffff, 0x0800);
    }
}

/* HTT: "the package may have more than one" */
static void leaf_1_says_whether_there_is_more_than_one_cpu(void **state)
{
    const struct kvm_cpuid_entry2 with = { .function = 1, .edx = 0xffffffff };
    const struct kvm_cpuid_entry2 without = { .function = 1, .edx = 0x078bfbff };

    (void)state;
    assert_int_equal(fill_one(with, 0, 1).edx, 0xefffffff);
    assert_int_equal(fill_one(without, 0, 2).edx, 0x178bfbff);
}

/* All that a KVM of today has of leaf 0xb. */
static const struct kvm_cpuid_entry2 no_levels = { .function = 0xb,
                                                   .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
                                                   .edx = 1 };

static void assert_levels(const struct kvm_cpuid2 *cpuid, unsigned index, unsigned cpus,
                          unsigned bits)
{
    const struct kvm_cpuid_entry2 *threads = find(cpuid, 0xb, 0), *cores = find(cpuid, 0xb, 1);

    assert_non_null(threads);
    assert_int_equal(threads->eax, 0);
    assert_int_equal(threads->ebx, 1);
    assert_int_equal(threads->ecx, 0x100);
    assert_int_equal(threads->edx, index);
    assert_non_null(cores);
    assert_int_equal(cores->eax, bits);
    assert_int_equal(cores->ebx, cpus);
    assert_int_equal(cores->ecx, 0x201);
    assert_int_equal(cores->edx, index);
    assert_null(find(cpuid, 0xb, 2));
}

static void all_cpus_are_cores_of_one_package(void **state)
{
    static const struct {
        unsigned cpus, bits;
    } rows[] = { { 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 2 }, { 5, 3 }, { 16, 4 } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned last = rows[i].cpus - 1;
        struct kvm_cpuid2 *cpuid = fill(&no_levels, 1, last, rows[i].cpus);

        assert_levels(cpuid, last, rows[i].cpus, rows[i].bits);
        free(cpuid);
    }
}

/* As older kernels hand them over: the host's own, all levels. */
static void levels_of_the_hosts_are_replaced(void **state)
{
    const struct kvm_cpuid_entry2 host[] = {
        { .function = 0xb, .index = 0, .flags = 1, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 33 },
        { .function = 0xb, .index = 1, .flags = 1, .eax = 5, .ebx = 24, .ecx = 0x201, .edx = 33 },
        { .function = 0xb, .index = 2, .flags = 1, .ecx = 2, .edx = 33 },
        { .function = 0x1f, .index = 0, .flags = 1, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 33 },
        { .function = 0x1f, .index = 1, .flags = 1, .eax = 6, .ebx = 48, .ecx = 0x201, .edx = 33 },
    };
    struct kvm_cpuid2 *cpuid = fill(host, sizeof(host) / sizeof(host[0]), 2, 4);

    (void)state;
    assert_levels(cpuid, 2, 4, 2);
    assert_null(find(cpuid, 0x1f, 0));
    free(cpuid);
}

static void host_without_levels_gets_none(void **state)
{
    const struct kvm_cpuid_entry2 host = { .function = 1 };
    struct kvm_cpuid2 *cpuid = fill(&host, 1, 0, 4);

    (void)state;
    assert_null(find(cpuid, 0xb, 0));
    free(cpuid);
}

/* Leaf 4: first-level data cache, shared by two threads of 8 cores; third, shared by all. */
static void caches_but_the_last_are_a_cores_own(void **state)
{
    const struct kvm_cpuid_entry2 first = { .function = 4, .flags = 1, .eax = 0x1c004121 };
    const struct kvm_cpuid_entry2 third = { .function = 4, .flags = 1, .eax = 0x1c03c163 };

    (void)state;
    assert_int_equal(fill_one(first, 1, 4).eax, 0x0c000121);
    assert_int_equal(fill_one(third, 1, 4).eax, 0x0c00c163);
    assert_int_equal(fill_one(third, 0, 1).eax, 0x00000163);
}

static void caches_of_amd_are_shared_likewise(void **state)
{
    const struct kvm_cpuid_entry2 first = { .function = 0x8000001d, .flags = 1, .eax = 0x4121 };
    const struct kvm_cpuid_entry2 third = { .function = 0x8000001d, .flags = 1, .eax = 0x4163 };

    (void)state;
    assert_int_equal(fill_one(first, 0, 4).eax, 0x121);
    assert_int_equal(fill_one(third, 0, 4).eax, 0xc163);
}

static void cache_that_is_not_there_stays_so(void **state)
{
    const struct kvm_cpuid_entry2 intel = { .function = 4, .flags = 1 };
    const struct kvm_cpuid_entry2 amd = { .function = 0x8000001d, .flags = 1 };

    (void)state;
    assert_int_equal(fill_one(intel, 0, 4).eax, 0);
    assert_int_equal(fill_one(amd, 0, 4).eax, 0);
}

static void amd_counts_cores_in_leaf_80000008(void **state)
{
    const struct kvm_cpuid_entry2 host = { .function = 0x80000008, .eax = 0x3030, .ecx = 0x30fff };

    (void)state;
    assert_int_equal(fill_one(host, 0, 1).ecx, 0x30f00);
    assert_int_equal(fill_one(host, 3, 6).ecx, 0x33f05);
    assert_int_equal(fill_one(host, 3, 6).eax, 0x3030);
}

static void amd_has_the_apic_id_and_the_core_in_leaf_8000001e(void **state)
{
    const struct kvm_cpuid_entry2 host = {
        .function = 0x8000001e, .eax = 9, .ebx = 0x104, .ecx = 0x101
    };
    struct kvm_cpuid_entry2 entry = fill_one(host, 3, 4);

    (void)state;
    assert_int_equal(entry.eax, 3);
    assert_int_equal(entry.ebx, 3);
    assert_int_equal(entry.ecx, 0);
}

static void what_has_no_topology_is_the_hosts(void **state)
{
    const struct kvm_cpuid_entry2 host = {
        .function = 7, .flags = 1, .eax = 1, .ebx = 2, .ecx = 3, .edx = 4
    };
    struct kvm_cpuid_entry2 entry = fill_one(host, 3, 4);

    (void)state;
    assert_memory_equal(&entry, &host, sizeof(host));
}

static void full_table_loses_nothing_else(void **state)
{
    struct kvm_cpuid_entry2 host[CPUID_ENTRIES_MAX];
    struct kvm_cpuid2 *cpuid;

    (void)state;
    for (uint32_t i = 0; i < CPUID_ENTRIES_MAX; i++)
        host[i] = (struct kvm_cpuid_entry2){ .function = 0x40000000 + i };
    host[0] = no_levels;
    cpuid = fill(host, CPUID_ENTRIES_MAX, 0, 2);
    assert_int_equal(cpuid->nent, CPUID_ENTRIES_MAX);
    assert_non_null(find(cpuid, 0x40000000 + CPUID_ENTRIES_MAX - 1, 0));
    free(cpuid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cpu_has_its_apic_id_in_leaf_1),
        cmocka_unit_test(leaf_1_says_whether_there_is_more_than_one_cpu),
        cmocka_unit_test(all_cpus_are_cores_of_one_package),
        cmocka_unit_test(levels_of_the_hosts_are_replaced),
        cmocka_unit_test(host_without_levels_gets_none),
        cmocka_unit_test(caches_but_the_last_are_a_cores_own),
        cmocka_unit_test(caches_of_amd_are_shared_likewise),
        cmocka_unit_test(cache_that_is_not_there_stays_so),
        cmocka_unit_test(amd_counts_cores_in_leaf_80000008),
        cmocka_unit_test(amd_has_the_apic_id_and_the_core_in_leaf_8000001e),
        cmocka_unit_test(what_has_no_topology_is_the_hosts),
        cmocka_unit_test(full_table_loses_nothing_else),
    };

    return cmocka_run_group_tests_name("cpuid", tests, NULL, NULL);
}

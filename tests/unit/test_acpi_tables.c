/*
 * "Section" means the ACPI specification, version 6.4.
 */
#include "unit_test.h"

#include <errno.h>
#include <string.h>

#include "board/x86/acpi_tables.h"

#define KIB UINT64_C(1024)

enum { TABLE_MAX = 1024, HEADER_SIZE = 36, MADT_ENTRIES = 44 };
enum { LOCAL_APIC = 0, IO_APIC = 1, OVERRIDE = 2, LOCAL_NMI = 4 };

struct table {
    uint8_t bytes[TABLE_MAX];
    uint32_t address;
    uint32_t size;
};

/* All there is, found as a kernel finds it. */
struct tables {
    struct guest_memory memory;
    uint8_t pointer[20];
    struct table rsdt, fadt, facs, dsdt, madt;
};

static uint32_t number(const uint8_t *bytes, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
    uint8_t total = 0;

    while (size-- > 0)
        total += *bytes++;
    return total;
}

static void read_table(const struct guest_memory *memory, uint32_t address, const char *signature,
                       struct table *ret)
{
    uint8_t start[8];

    assert_int_equal(guest_memory_read(memory, address, start, sizeof(start)), 0);
    assert_memory_equal(start, signature, 4);
    ret->address = address;
    ret->size = number(start + 4, 4);
    assert_in_range(ret->size, HEADER_SIZE, TABLE_MAX);
    assert_int_equal(guest_memory_read(memory, address, ret->bytes, ret->size), 0);
}

/* Section 5.2.5.1: every 16 bytes of the BIOS area */
static void find_pointer(const struct guest_memory *memory, uint8_t ret[20])
{
    for (gpa_t address = 0xe0000; address < 0x100000; address += 16) {
        assert_int_equal(guest_memory_read(memory, address, ret, 20), 0);
        if (memcmp(ret, "RSD PTR ", 8) == 0)
            return;
    }
    fail_msg("there is no root pointer");
}

static void set_up(struct tables *tables, unsigned cpus, unsigned timer_pin)
{
    struct guest_memory *memory = &tables->memory;

    assert_int_equal(guest_memory_init(memory, 0, 1024 * KIB, NULL), 0);
    assert_int_equal(acpi_tables_write(memory, cpus, timer_pin), 0);
    find_pointer(memory, tables->pointer);
    read_table(memory, number(tables->pointer + 16, 4), "RSDT", &tables->rsdt);
    assert_int_equal(tables->rsdt.size, HEADER_SIZE + 2 * 4);
    read_table(memory, number(tables->rsdt.bytes + HEADER_SIZE, 4), "FACP", &tables->fadt);
    read_table(memory, number(tables->rsdt.bytes + HEADER_SIZE + 4, 4), "APIC", &tables->madt);
    read_table(memory, number(tables->fadt.bytes + 36, 4), "FACS", &tables->facs);
    read_table(memory, number(tables->fadt.bytes + 40, 4), "DSDT", &tables->dsdt);
}

static void tear_down(struct tables *tables)
{
    guest_memory_deinit(&tables->memory);
}

/* The nth entry of a type of the MADT; NULL: there are fewer. Section 5.2.12 */
static const uint8_t *entry(const struct tables *tables, uint8_t type, unsigned n)
{
    const uint8_t *end = tables->madt.bytes + tables->madt.size;

    for (const uint8_t *at = tables->madt.bytes + MADT_ENTRIES; at < end; at += at[1]) {
        assert_in_range(at[1], 2, end - at);
        if (at[0] == type && n-- == 0)
            return at;
    }
    return NULL;
}

static void sums_of_all_tables_with_checksums_are_0(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= ACPI_TABLES_CPUS_MAX; cpus++) {
        struct tables tables;

        set_up(&tables, cpus, 0);
        assert_int_equal(sum(tables.pointer, sizeof(tables.pointer)), 0);
        assert_int_equal(sum(tables.rsdt.bytes, tables.rsdt.size), 0);
        assert_int_equal(sum(tables.fadt.bytes, tables.fadt.size), 0);
        assert_int_equal(sum(tables.dsdt.bytes, tables.dsdt.size), 0);
        assert_int_equal(sum(tables.madt.bytes, tables.madt.size), 0);
        tear_down(&tables);
    }
}

/* Section 5.2.5.3: revision 0, an RSDT and no XSDT */
static void pointer_is_one_of_acpi_1(void **state)
{
    struct tables tables;

    (void)state;
    set_up(&tables, 1, 0);
    assert_memory_equal(tables.pointer + 9, "VMMD  \0", 7);
    tear_down(&tables);
}

static void no_two_tables_overlap_and_all_are_in_the_page(void **state)
{
    struct tables tables;
    const struct table *all[] = { &tables.rsdt, &tables.fadt, &tables.facs, &tables.dsdt,
                                  &tables.madt };
    enum { COUNT = sizeof(all) / sizeof(all[0]) };

    (void)state;
    set_up(&tables, ACPI_TABLES_CPUS_MAX, 2);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_in_range(all[i]->address, ACPI_TABLES_ADDRESS + sizeof(tables.pointer),
                        ACPI_TABLES_ADDRESS + ACPI_TABLES_SIZE - all[i]->size);
        for (unsigned j = 0; j < i; j++)
            assert_true(all[i]->address + all[i]->size <= all[j]->address ||
                        all[j]->address + all[j]->size <= all[i]->address);
    }
    tear_down(&tables);
}

/* Section 5.2.9 */
static void fadt_says_where_the_power_management_is(void **state)
{
    struct tables tables;
    const uint8_t *fadt = tables.fadt.bytes;

    (void)state;
    set_up(&tables, 1, 0);
    assert_int_equal(tables.fadt.size, 276);
    assert_int_equal(fadt[8], 6);
    assert_int_equal(fadt[131], 4);
    assert_int_equal(number(fadt + 46, 2), 9);     /* SCI_INT */
    assert_int_equal(number(fadt + 48, 4), 0);     /* SMI_CMD */
    assert_int_equal(number(fadt + 56, 4), 0x600); /* PM1a_EVT_BLK */
    assert_int_equal(number(fadt + 64, 4), 0x604); /* PM1a_CNT_BLK */
    assert_int_equal(number(fadt + 76, 4), 0x608); /* PM_TMR_BLK */
    assert_int_equal(fadt[88], 4);
    assert_int_equal(fadt[89], 2);
    assert_int_equal(fadt[91], 4);
    assert_memory_equal(fadt + 148, "\x01\x20\x00\x02\x00\x06\0\0\0\0\0\0", 12);
    assert_memory_equal(fadt + 172, "\x01\x10\x00\x02\x04\x06\0\0\0\0\0\0", 12);
    assert_memory_equal(fadt + 208, "\x01\x20\x00\x03\x08\x06\0\0\0\0\0\0", 12);
    tear_down(&tables);
}

static void fadt_says_how_to_reset_and_what_a_pc_has(void **state)
{
    struct tables tables;
    const uint8_t *fadt = tables.fadt.bytes;

    (void)state;
    set_up(&tables, 1, 0);
    assert_int_equal(fadt[108], 0x32);               /* CENTURY */
    assert_int_equal(number(fadt + 109, 2), 0x000f); /* IAPC_BOOT_ARCH */
    assert_int_equal(number(fadt + 112, 4), 0x575);  /* Flags: not HW_REDUCED_ACPI, bit 20 */
    assert_memory_equal(fadt + 116, "\x01\x08\x00\x01\xf9\x0c\0\0\0\0\0\0\x06", 13);
    tear_down(&tables);
}

/* Section 5.2.10 */
static void facs_is_aligned_and_nobody_has_the_lock(void **state)
{
    static const uint8_t zeros[24];
    struct tables tables;

    (void)state;
    set_up(&tables, 1, 0);
    assert_int_equal(tables.facs.size, 64);
    assert_int_equal(tables.facs.address % 64, 0);
    assert_memory_equal(tables.facs.bytes + 8, zeros, sizeof(zeros));
    assert_int_equal(tables.facs.bytes[32], 2);
    tear_down(&tables);
}

/* Name (\_S5, Package () { 5, 5, 0, 0 }) */
static void dsdt_has_the_sleep_type_of_off_and_nothing_else(void **state)
{
    static const uint8_t aml[] = { 0x08, '_',  'S',  '5',  '_',  0x12, 0x08,
                                   0x04, 0x0a, 0x05, 0x0a, 0x05, 0x00, 0x00 };
    struct tables tables;

    (void)state;
    set_up(&tables, 1, 0);
    assert_int_equal(tables.dsdt.size, HEADER_SIZE + sizeof(aml));
    assert_memory_equal(tables.dsdt.bytes + HEADER_SIZE, aml, sizeof(aml));
    tear_down(&tables);
}

/* Section 5.2.12.2 */
static void each_processor_has_a_local_apic(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= ACPI_TABLES_CPUS_MAX; cpus++) {
        struct tables tables;

        set_up(&tables, cpus, 0);
        for (unsigned i = 0; i < cpus; i++) {
            const uint8_t expected[] = { LOCAL_APIC, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 };

            assert_non_null(entry(&tables, LOCAL_APIC, i));
            assert_memory_equal(entry(&tables, LOCAL_APIC, i), expected, sizeof(expected));
        }
        assert_null(entry(&tables, LOCAL_APIC, cpus));
        tear_down(&tables);
    }
}

/* Sections 5.2.12 and 5.2.12.3 */
static void there_is_one_io_apic_and_8259s_too(void **state)
{
    struct tables tables;

    (void)state;
    set_up(&tables, 2, 0);
    assert_memory_equal(tables.madt.bytes + 36, "\x00\x00\xe0\xfe\x01\x00\x00\x00", 8);
    assert_memory_equal(entry(&tables, IO_APIC, 0), "\x01\x0c\0\0\x00\x00\xc0\xfe\0\0\0\0", 12);
    assert_null(entry(&tables, IO_APIC, 1));
    tear_down(&tables);
}

/* Section 5.2.12.5 */
static void only_the_sci_is_not_as_on_an_isa_bus(void **state)
{
    struct tables tables;

    (void)state;
    set_up(&tables, 1, 0);
    assert_memory_equal(entry(&tables, OVERRIDE, 0), "\x02\x0a\x00\x09\x09\0\0\0\x0d\0", 10);
    assert_null(entry(&tables, OVERRIDE, 1));
    tear_down(&tables);
}

static void timer_at_another_pin_is_told_of(void **state)
{
    struct tables tables;

    (void)state;
    set_up(&tables, 1, 2);
    assert_memory_equal(entry(&tables, OVERRIDE, 0), "\x02\x0a\x00\x00\x02\0\0\0\0\0", 10);
    assert_memory_equal(entry(&tables, OVERRIDE, 1), "\x02\x0a\x00\x09\x09\0\0\0\x0d\0", 10);
    tear_down(&tables);
}

/* Section 5.2.12.7 */
static void nmis_are_at_lint1_of_every_processor(void **state)
{
    struct tables tables;

    (void)state;
    set_up(&tables, 3, 0);
    assert_memory_equal(entry(&tables, LOCAL_NMI, 0), "\x04\x06\xff\x00\x00\x01", 6);
    assert_null(entry(&tables, LOCAL_NMI, 1));
    tear_down(&tables);
}

static void too_little_memory_is_refused(void **state)
{
    static const uint64_t sizes[] = { 64 * KIB, 896 * KIB, 1020 * KIB };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct guest_memory memory;

        assert_int_equal(guest_memory_init(&memory, 0, sizes[i], NULL), 0);
        assert_int_equal(acpi_tables_write(&memory, 1, 0), -ENOSPC);
        guest_memory_deinit(&memory);
    }
}

static void what_was_loaded_there_is_left_alone(void **state)
{
    const gpa_t last = ACPI_TABLES_ADDRESS + ACPI_TABLES_SIZE - 1;
    struct guest_memory memory;
    uint8_t byte = 0x90;

    (void)state;
    assert_int_equal(guest_memory_init(&memory, 0, 1024 * KIB, NULL), 0);
    assert_int_equal(guest_memory_write(&memory, last, &byte, 1), 0);
    assert_int_equal(acpi_tables_write(&memory, 1, 0), -EEXIST);
    assert_int_equal(guest_memory_read(&memory, ACPI_TABLES_ADDRESS, &byte, 1), 0);
    assert_int_equal(byte, 0);
    guest_memory_deinit(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_all_tables_with_checksums_are_0),
        cmocka_unit_test(pointer_is_one_of_acpi_1),
        cmocka_unit_test(no_two_tables_overlap_and_all_are_in_the_page),
        cmocka_unit_test(fadt_says_where_the_power_management_is),
        cmocka_unit_test(fadt_says_how_to_reset_and_what_a_pc_has),
        cmocka_unit_test(facs_is_aligned_and_nobody_has_the_lock),
        cmocka_unit_test(dsdt_has_the_sleep_type_of_off_and_nothing_else),
        cmocka_unit_test(each_processor_has_a_local_apic),
        cmocka_unit_test(there_is_one_io_apic_and_8259s_too),
        cmocka_unit_test(only_the_sci_is_not_as_on_an_isa_bus),
        cmocka_unit_test(timer_at_another_pin_is_told_of),
        cmocka_unit_test(nmis_are_at_lint1_of_every_processor),
        cmocka_unit_test(too_little_memory_is_refused),
        cmocka_unit_test(what_was_loaded_there_is_left_alone),
    };

    return cmocka_run_group_tests_name("acpi_tables", tests, NULL, NULL);
}

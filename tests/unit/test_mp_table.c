/*
 * "Section" means Intel's MultiProcessor Specification, version 1.4.
 */
#include "unit_test.h"

#include <errno.h>
#include <string.h>

#include "board/x86/mp_table.h"

#define KIB UINT64_C(1024)

enum { EBDA = 0x9fc00, BASE_END = 0xa0000 };
enum { PROCESSOR = 0, BUS = 1, IO_APIC = 2, IO_INTERRUPT = 3, LOCAL_INTERRUPT = 4 };
enum { HEADER_SIZE = 44, TABLE_MAX = 4096, ENTRIES_MAX = 128 };

struct table {
    struct guest_memory memory;
    uint8_t bytes[TABLE_MAX];
    uint32_t address;
    uint16_t size;
    unsigned entries;
    const uint8_t *entry[ENTRIES_MAX];
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

/* The way of a kernel: the BIOS data area, section 4; then every 16 bytes of the first KiB. */
static void find_pointer(const struct guest_memory *memory, uint8_t ret[16])
{
    uint16_t segment;

    assert_int_equal(guest_memory_read(memory, 0x40e, &segment, sizeof(segment)), 0);
    for (gpa_t address = (gpa_t)segment * 16; address < BASE_END; address += 16) {
        assert_int_equal(guest_memory_read(memory, address, ret, 16), 0);
        if (memcmp(ret, "_MP_", 4) == 0)
            return;
    }
    fail_msg("there is no floating pointer");
}

static void split_entries(struct table *table)
{
    static const unsigned sizes[] = { 20, 8, 8, 8, 8 };
    const uint8_t *end = table->bytes + table->size;

    table->entries = 0;
    for (const uint8_t *at = table->bytes + HEADER_SIZE; at < end; at += sizes[at[0]]) {
        assert_in_range(at[0], PROCESSOR, LOCAL_INTERRUPT);
        assert_in_range(table->entries, 0, ENTRIES_MAX - 1);
        table->entry[table->entries++] = at;
        assert_true(at + sizes[at[0]] <= end);
    }
}

static void set_up(struct table *table, uint64_t memory_bytes, unsigned cpus, unsigned timer_pin)
{
    uint8_t pointer[16], header[HEADER_SIZE];

    assert_int_equal(guest_memory_init(&table->memory, 0, memory_bytes, NULL), 0);
    assert_int_equal(mp_table_write(&table->memory, cpus, timer_pin, NULL), 0);
    find_pointer(&table->memory, pointer);
    table->address = number(pointer + 4, 4);
    assert_int_equal(guest_memory_read(&table->memory, table->address, header, HEADER_SIZE), 0);
    table->size = (uint16_t)number(header + 4, 2);
    assert_in_range(table->size, HEADER_SIZE, TABLE_MAX);
    assert_int_equal(guest_memory_read(&table->memory, table->address, table->bytes, table->size),
                     0);
    split_entries(table);
}

static void tear_down(struct table *table)
{
    guest_memory_deinit(&table->memory);
}

/* The nth entry of a type; NULL: there are fewer. */
static const uint8_t *entry(const struct table *table, uint8_t type, unsigned n)
{
    for (unsigned i = 0; i < table->entries; i++)
        if (table->entry[i][0] == type && n-- == 0)
            return table->entry[i];
    return NULL;
}

/* Section 4.1 */
static void pointer_is_found_and_its_sum_is_0(void **state)
{
    struct table table;
    uint8_t pointer[16];

    (void)state;
    set_up(&table, 1024 * KIB, 1, 2);
    find_pointer(&table.memory, pointer);
    assert_int_equal(pointer[8], 1);
    assert_int_equal(pointer[9], 4);
    assert_int_equal(sum(pointer, 16), 0);
    assert_int_equal(number(pointer + 11, 4), 0);
    tear_down(&table);
}

static void data_areas_say_where_base_memory_ends(void **state)
{
    struct table table;
    uint16_t segment, base_kib;
    uint8_t ebda_kib;

    (void)state;
    set_up(&table, 1024 * KIB, 1, 2);
    guest_memory_read(&table.memory, 0x40e, &segment, sizeof(segment));
    guest_memory_read(&table.memory, 0x413, &base_kib, sizeof(base_kib));
    guest_memory_read(&table.memory, EBDA, &ebda_kib, sizeof(ebda_kib));
    assert_int_equal(segment, 0x9fc0);
    assert_int_equal(base_kib, 639);
    assert_int_equal(ebda_kib, 1);
    tear_down(&table);
}

/* Section 4.2 */
static void header_is_right_and_the_sum_is_0(void **state)
{
    struct table table;

    (void)state;
    set_up(&table, 1024 * KIB, 3, 2);
    assert_memory_equal(table.bytes, "PCMP", 4);
    assert_int_equal(table.bytes[6], 4);
    assert_int_equal(sum(table.bytes, table.size), 0);
    assert_memory_equal(table.bytes + 8, "VMMD    PC          ", 20);
    assert_int_equal(number(table.bytes + 34, 2), table.entries);
    assert_int_equal(number(table.bytes + 36, 4), 0xfee00000);
    tear_down(&table);
}

/* Section 4.3: "in ascending order by type" */
static void entries_are_in_the_order_of_their_types(void **state)
{
    struct table table;

    (void)state;
    set_up(&table, 1024 * KIB, 3, 2);
    for (unsigned i = 1; i < table.entries; i++)
        assert_true(table.entry[i - 1][0] <= table.entry[i][0]);
    tear_down(&table);
}

/* Section 4.3.1 */
static void each_processor_has_an_entry_and_the_first_boots(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= MP_TABLE_CPUS_MAX; cpus++) {
        struct table table;

        set_up(&table, 1024 * KIB, cpus, 2);
        for (unsigned i = 0; i < cpus; i++) {
            const uint8_t *processor = entry(&table, PROCESSOR, i);

            assert_non_null(processor);
            assert_int_equal(processor[1], i);
            assert_int_equal(processor[2], 0x14);
            assert_int_equal(processor[3], i == 0 ? 0x03 : 0x01);
        }
        assert_null(entry(&table, PROCESSOR, cpus));
        assert_int_equal(sum(table.bytes, table.size), 0);
        tear_down(&table);
    }
}

/* Sections 4.3.2 and 4.3.3 */
static void there_is_one_bus_and_one_io_apic(void **state)
{
    struct table table;

    (void)state;
    set_up(&table, 1024 * KIB, 1, 2);
    assert_memory_equal(entry(&table, BUS, 0), "\x01\x00ISA   ", 8);
    assert_null(entry(&table, BUS, 1));
    assert_memory_equal(entry(&table, IO_APIC, 0), "\x02\x00\x11\x01\x00\x00\xc0\xfe", 8);
    assert_null(entry(&table, IO_APIC, 1));
    tear_down(&table);
}

/* Section 4.3.4 */
static void isa_interrupts_go_to_the_pin_of_their_number(void **state)
{
    struct table table;
    unsigned n = 0;

    (void)state;
    set_up(&table, 1024 * KIB, 1, 0);
    for (uint8_t irq = 0; irq < 16; irq++) {
        const uint8_t expected[] = { IO_INTERRUPT, 0, 0, 0, 0, irq, 0, irq };

        if (irq != 2)
            assert_memory_equal(entry(&table, IO_INTERRUPT, n++), expected, sizeof(expected));
    }
    assert_null(entry(&table, IO_INTERRUPT, n));
    tear_down(&table);
}

static void timer_goes_to_the_pin_it_is_wired_to(void **state)
{
    struct table table;

    (void)state;
    set_up(&table, 1024 * KIB, 1, 2);
    assert_int_equal(entry(&table, IO_INTERRUPT, 0)[5], 0);
    assert_int_equal(entry(&table, IO_INTERRUPT, 0)[7], 2);
    assert_int_equal(entry(&table, IO_INTERRUPT, 1)[5], 1);
    assert_int_equal(entry(&table, IO_INTERRUPT, 1)[7], 1);
    tear_down(&table);
}

/* Section 4.3.5 */
static void local_interrupts_are_the_8259s_and_nmi_at_every_processor(void **state)
{
    struct table table;

    (void)state;
    set_up(&table, 1024 * KIB, 4, 2);
    assert_memory_equal(entry(&table, LOCAL_INTERRUPT, 0), "\x04\x03\0\0\0\0\xff\x00", 8);
    assert_memory_equal(entry(&table, LOCAL_INTERRUPT, 1), "\x04\x01\0\0\0\0\xff\x01", 8);
    assert_null(entry(&table, LOCAL_INTERRUPT, 2));
    tear_down(&table);
}

static void up_to_39_processors_640_kib_are_enough(void **state)
{
    struct table table;

    (void)state;
    set_up(&table, 640 * KIB, 39, 2);
    assert_int_equal(table.address, EBDA + 0x20);
    assert_true(table.address + table.size <= BASE_END);
    tear_down(&table);
}

static void table_that_is_too_long_is_where_the_bios_would_be(void **state)
{
    struct table table;

    (void)state;
    set_up(&table, 1024 * KIB, 40, 2);
    assert_int_equal(table.address, 0xf0000);
    tear_down(&table);
}

static void assert_refused(uint64_t memory_bytes, unsigned cpus, const char *text)
{
    struct guest_memory memory;
    struct error err = { 0 };
    uint16_t segment;

    assert_int_equal(guest_memory_init(&memory, 0, memory_bytes, NULL), 0);
    assert_int_equal(mp_table_write(&memory, cpus, 2, &err), -ENOSPC);
    assert_string_equal(err.text, text);
    assert_string_equal(err.about, "memory");
    assert_int_equal(guest_memory_read(&memory, 0x40e, &segment, sizeof(segment)), 0);
    assert_int_equal(segment, 0);
    guest_memory_deinit(&memory);
}

static void too_little_memory_is_refused_and_left_alone(void **state)
{
    (void)state;
    assert_refused(636 * KIB, 1, "machine pc needs at least 640 KiB of memory");
    assert_refused(640 * KIB, 40, "machine pc with 40 CPUs needs at least 1 MiB of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointer_is_found_and_its_sum_is_0),
        cmocka_unit_test(data_areas_say_where_base_memory_ends),
        cmocka_unit_test(header_is_right_and_the_sum_is_0),
        cmocka_unit_test(entries_are_in_the_order_of_their_types),
        cmocka_unit_test(each_processor_has_an_entry_and_the_first_boots),
        cmocka_unit_test(there_is_one_bus_and_one_io_apic),
        cmocka_unit_test(isa_interrupts_go_to_the_pin_of_their_number),
        cmocka_unit_test(timer_goes_to_the_pin_it_is_wired_to),
        cmocka_unit_test(local_interrupts_are_the_8259s_and_nmi_at_every_processor),
        cmocka_unit_test(up_to_39_processors_640_kib_are_enough),
        cmocka_unit_test(table_that_is_too_long_is_where_the_bios_would_be),
        cmocka_unit_test(too_little_memory_is_refused_and_left_alone),
    };

    return cmocka_run_group_tests_name("mp_table", tests, NULL, NULL);
}

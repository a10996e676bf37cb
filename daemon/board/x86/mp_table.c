/*
 * "Section" and "Table" mean Intel's MultiProcessor Specification, version 1.4.
 */
#include "board/x86/mp_table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "board/x86/checksum.h"

/* The BIOS data area, at 0x400: words that say where it goes on. */
#define BDA_EBDA_SEGMENT UINT64_C(0x40e)
#define BDA_BASE_KIB     UINT64_C(0x413)

#define BASE_MEMORY_END UINT64_C(0xa0000)
#define POINTER_ADDRESS (MP_TABLE_EBDA + 0x10) /* the area begins with its size, in KiB */
#define TABLE_IN_EBDA   (MP_TABLE_EBDA + 0x20)
#define TABLE_IN_BIOS   UINT64_C(0xf0000)

#define LOCAL_APIC_ADDRESS 0xfee00000
#define IO_APIC_ADDRESS    0xfec00000

enum {
    SPECIFICATION_1_4 = 4,

    /* Table 4-3 */
    ENTRY_PROCESSOR = 0,
    ENTRY_BUS = 1,
    ENTRY_IO_APIC = 2,
    ENTRY_IO_INTERRUPT = 3,
    ENTRY_LOCAL_INTERRUPT = 4,

    /* Table 4-4 */
    PROCESSOR_ENABLED = 0x01,
    PROCESSOR_BOOTSTRAP = 0x02,
    PROCESSOR_SIGNATURE = 0x600, /* family 6 */
    PROCESSOR_FEATURES = 0x201,  /* FPU and APIC; kernels ask CPUID for more */

    /* what KVM's say of themselves: APIC_VERSION and IOAPIC_VERSION_ID in arch/x86/kvm */
    LOCAL_APIC_VERSION = 0x14,
    IO_APIC_VERSION = 0x11,

    BUS_ISA = 0,

    /* The specification wants it other than any local APIC's. But it has 4 bits, too few beside 64
     * processors, this is what KVM's says, and with 0 kernels have lived since SeaBIOS. */
    IO_APIC_ID = 0,
    IO_APIC_USABLE = 0x01,

    /* Table 4-11 */
    INTERRUPT_VECTORED = 0,
    INTERRUPT_NMI = 1,
    INTERRUPT_EXTERNAL = 3, /* the 8259s give the vector */

    EVERY_LOCAL_APIC = 0xff,

    ISA_IRQS = 16,
    CASCADE_IRQ = 2, /* taken by the second 8259: no device has it */
    INTERRUPTS = ISA_IRQS - 1,
    LOCAL_INTERRUPTS = 2,
};

/* Section 4.1 */
struct floating_pointer {
    char signature[4];
    uint32_t table;
    uint8_t length; /* in units of 16 bytes */
    uint8_t specification;
    uint8_t checksum;
    uint8_t features[5]; /* 0: there is a table, and no IMCR */
};

/* Section 4.2 */
struct table_header {
    char signature[4];
    uint16_t length;
    uint8_t specification;
    uint8_t checksum;
    char oem[8];
    char product[12];
    uint32_t oem_table;
    uint16_t oem_table_size;
    uint16_t entries;
    uint32_t local_apic;
    uint16_t extended_length;
    uint8_t extended_checksum;
    uint8_t reserved;
};

/* Section 4.3.1 */
struct processor {
    uint8_t type;
    uint8_t apic_id;
    uint8_t apic_version;
    uint8_t flags;
    uint32_t signature;
    uint32_t features;
    uint32_t reserved[2];
};

/* Section 4.3.2 */
struct bus_entry {
    uint8_t type;
    uint8_t id;
    char name[6];
};

/* Section 4.3.3 */
struct io_apic {
    uint8_t type;
    uint8_t id;
    uint8_t version;
    uint8_t flags;
    uint32_t address;
};

/* Sections 4.3.4 and 4.3.5. Flags 0: polarity and trigger as the bus has them. */
struct interrupt {
    uint8_t type;
    uint8_t kind;
    uint16_t flags;
    uint8_t bus;
    uint8_t irq;
    uint8_t apic_id;
    uint8_t pin;
};

static_assert(sizeof(struct floating_pointer) == 16, "section 4.1");
static_assert(sizeof(struct table_header) == 44, "section 4.2");
static_assert(sizeof(struct processor) == 20, "Table 4-3");
static_assert(sizeof(struct bus_entry) == 8, "Table 4-3");
static_assert(sizeof(struct io_apic) == 8, "Table 4-3");
static_assert(sizeof(struct interrupt) == 8, "Table 4-3");

enum {
    TABLE_SIZE_MAX = sizeof(struct table_header) + MP_TABLE_CPUS_MAX * sizeof(struct processor) +
                     sizeof(struct bus_entry) + sizeof(struct io_apic) +
                     (INTERRUPTS + LOCAL_INTERRUPTS) * sizeof(struct interrupt),
};

struct table {
    unsigned char bytes[TABLE_SIZE_MAX];
    uint16_t size;
    uint16_t entries;
};

static void add(struct table *table, const void *entry, size_t size)
{
    memcpy(table->bytes + table->size, entry, size);
    table->size = (uint16_t)(table->size + size);
    table->entries++;
}

static void add_processors(struct table *table, unsigned cpus)
{
    for (unsigned i = 0; i < cpus; i++) {
        struct processor processor = {
            .type = ENTRY_PROCESSOR,
            .apic_id = (uint8_t)i,
            .apic_version = LOCAL_APIC_VERSION,
            .flags = PROCESSOR_ENABLED | (i == 0 ? PROCESSOR_BOOTSTRAP : 0),
            .signature = PROCESSOR_SIGNATURE,
            .features = PROCESSOR_FEATURES,
        };

        add(table, &processor, sizeof(processor));
    }
}

static void add_isa_bus(struct table *table)
{
    const struct bus_entry bus = {
        .type = ENTRY_BUS,
        .id = BUS_ISA,
        .name = { 'I', 'S', 'A', ' ', ' ', ' ' },
    };

    add(table, &bus, sizeof(bus));
}

static void add_io_apic(struct table *table)
{
    const struct io_apic io_apic = {
        .type = ENTRY_IO_APIC,
        .id = IO_APIC_ID,
        .version = IO_APIC_VERSION,
        .flags = IO_APIC_USABLE,
        .address = IO_APIC_ADDRESS,
    };

    add(table, &io_apic, sizeof(io_apic));
}

static void add_interrupts(struct table *table, unsigned timer_pin)
{
    for (unsigned irq = 0; irq < ISA_IRQS; irq++) {
        struct interrupt interrupt = {
            .type = ENTRY_IO_INTERRUPT,
            .kind = INTERRUPT_VECTORED,
            .bus = BUS_ISA,
            .irq = (uint8_t)irq,
            .apic_id = IO_APIC_ID,
            .pin = (uint8_t)(irq == 0 ? timer_pin : irq),
        };

        if (irq != CASCADE_IRQ)
            add(table, &interrupt, sizeof(interrupt));
    }
}

/* Section 3.6.2.2, "Virtual Wire Mode": the 8259s at LINT0; NMIs at LINT1 */
static void add_local_interrupts(struct table *table)
{
    static const uint8_t kinds[LOCAL_INTERRUPTS] = { INTERRUPT_EXTERNAL, INTERRUPT_NMI };

    for (unsigned pin = 0; pin < LOCAL_INTERRUPTS; pin++) {
        struct interrupt interrupt = {
            .type = ENTRY_LOCAL_INTERRUPT,
            .kind = kinds[pin],
            .bus = BUS_ISA,
            .apic_id = EVERY_LOCAL_APIC,
            .pin = (uint8_t)pin,
        };

        add(table, &interrupt, sizeof(interrupt));
    }
}

static void make_table(struct table *table, unsigned cpus, unsigned timer_pin)
{
    struct table_header header = {
        .signature = { 'P', 'C', 'M', 'P' },
        .specification = SPECIFICATION_1_4,
        .oem = { 'V', 'M', 'M', 'D', ' ', ' ', ' ', ' ' },
        .product = { 'P', 'C', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ' },
        .local_apic = LOCAL_APIC_ADDRESS,
    };

    *table = (struct table){ .size = sizeof(header) };
    add_processors(table, cpus);
    add_isa_bus(table);
    add_io_apic(table);
    add_interrupts(table, timer_pin);
    add_local_interrupts(table);

    header.length = table->size;
    header.entries = table->entries;
    memcpy(table->bytes, &header, sizeof(header));
    header.checksum = checksum(table->bytes, table->size);
    memcpy(table->bytes, &header, sizeof(header));
}

static void write_pointer(struct guest_memory *memory, gpa_t table)
{
    struct floating_pointer pointer = {
        .signature = { '_', 'M', 'P', '_' },
        .table = (uint32_t)table,
        .length = sizeof(pointer) / 16,
        .specification = SPECIFICATION_1_4,
    };

    pointer.checksum = checksum(&pointer, sizeof(pointer));
    guest_memory_write(memory, POINTER_ADDRESS, &pointer, sizeof(pointer));
}

/* The extended BIOS data area, and where section 4 has kernels look up its place. */
static void write_data_areas(struct guest_memory *memory)
{
    const uint8_t ebda_kib = (BASE_MEMORY_END - MP_TABLE_EBDA) / 1024;
    const uint16_t ebda_segment = MP_TABLE_EBDA / 16, base_kib = MP_TABLE_EBDA / 1024;

    guest_memory_write(memory, MP_TABLE_EBDA, &ebda_kib, sizeof(ebda_kib));
    guest_memory_write(memory, BDA_EBDA_SEGMENT, &ebda_segment, sizeof(ebda_segment));
    guest_memory_write(memory, BDA_BASE_KIB, &base_kib, sizeof(base_kib));
}

int mp_table_write(struct guest_memory *memory, unsigned cpus, unsigned timer_pin,
                   struct error *err)
{
    struct table table;
    gpa_t address;

    assert(cpus >= 1 && cpus <= MP_TABLE_CPUS_MAX);
    make_table(&table, cpus, timer_pin);
    address = table.size <= BASE_MEMORY_END - TABLE_IN_EBDA ? TABLE_IN_EBDA : TABLE_IN_BIOS;

    if (!guest_memory_holds(memory, 0, BASE_MEMORY_END))
        return error_set_about(err, "memory", -ENOSPC,
                               "machine pc needs at least 640 KiB of memory");
    if (!guest_memory_holds(memory, address, table.size))
        return error_set_about(err, "memory", -ENOSPC,
                               "machine pc with %u CPUs needs at least 1 MiB of memory", cpus);
    write_data_areas(memory);
    write_pointer(memory, address);
    guest_memory_write(memory, address, table.bytes, table.size);
    return 0;
}

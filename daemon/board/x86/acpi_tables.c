/*
 * "Section" and "Table" mean the ACPI specification, version 6.4.
 */
#include "board/x86/acpi_tables.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "board/x86/checksum.h"
#include "device/acpi_pm.h"
#include "device/cmos.h"
#include "device/reset_control.h"

#define BIOS_END           UINT64_C(0x100000)
#define LOCAL_APIC_ADDRESS 0xfee00000
#define IO_APIC_ADDRESS    0xfec00000

enum {
    ALIGNMENT = 64, /* section 5.2.10 asks for it, of the FACS */

    IO_APIC_ID = 0, /* as in the MP table */
    TIMER_IRQ = 0,
    SCI_IRQ = 9, /* where PCs have it; nothing raises it */

    /* Table 5.9, "FADT Format" */
    FADT_MAJOR = 6,
    FADT_MINOR = 4,
    NO_C2 = 101,  /* P_LVL2_LAT: "> 100 indicates the system does not support a C2 state" */
    NO_C3 = 1001, /* P_LVL3_LAT */
    RESET_VALUE = 0x06,

    /* Table 5.10, "Fixed ACPI Description Table Fixed Feature Flags" */
    WBINVD = 1u << 0,
    PROC_C1 = 1u << 2,
    NO_POWER_BUTTON = 1u << 4, /* none in the fixed hardware; and the DSDT has none either */
    NO_SLEEP_BUTTON = 1u << 5,
    NO_FIXED_RTC_WAKE = 1u << 6,
    TIMER_32_BITS = 1u << 8,
    RESET_REGISTER = 1u << 10,

    /* Table 5.11, "Fixed ACPI Description Table Boot IA-PC Boot Architecture Flags" */
    LEGACY_DEVICES = 1u << 0,
    HAS_8042 = 1u << 1,
    NO_VGA = 1u << 2,
    NO_MSI = 1u << 3,

    /* Table 5.1, "Generic Address Structure" */
    SPACE_IO = 1,
    ACCESS_BYTE = 1,
    ACCESS_WORD = 2,
    ACCESS_DWORD = 3,

    FACS_VERSION = 2,

    /* Sections 5.2.12.2 to 5.2.12.7 */
    MADT_REVISION = 5,
    PCAT_COMPAT = 1, /* there are 8259s, too */
    ENTRY_LOCAL_APIC = 0,
    ENTRY_IO_APIC = 1,
    ENTRY_OVERRIDE = 2,
    ENTRY_LOCAL_NMI = 4,
    PROCESSOR_ENABLED = 1,
    EVERY_PROCESSOR = 0xff,
    LINT1 = 1,
    AS_THE_BUS = 0,
    LEVEL_HIGH = 3 << 2 | 1,
};

/* Section 5.2.6 */
struct header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem[6];
    char oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
};

/* Section 5.2.5.3, as ACPI 1.0 had it, which every kernel knows: all addresses are below 4 GiB */
struct root_pointer {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
};

/* Section 5.2.7 */
struct rsdt {
    struct header header;
    uint32_t fadt;
    uint32_t madt;
};

/* Section 5.2.3.2 */
struct generic_address {
    uint8_t space;
    uint8_t bits;
    uint8_t bit_offset;
    uint8_t access;
    uint64_t address;
} __attribute__((packed));

/* Section 5.2.9 */
struct fadt {
    struct header header;
    uint32_t facs;
    uint32_t dsdt;
    uint8_t reserved;
    uint8_t profile;
    uint16_t sci_irq;
    uint32_t smi_command; /* 0: there is none, and the machine always in ACPI mode */
    uint8_t acpi_enable;
    uint8_t acpi_disable;
    uint8_t s4bios_request;
    uint8_t pstate_control;
    uint32_t pm1a_event;
    uint32_t pm1b_event;
    uint32_t pm1a_control;
    uint32_t pm1b_control;
    uint32_t pm2_control;
    uint32_t pm_timer;
    uint32_t gpe[2];
    uint8_t pm1_event_length;
    uint8_t pm1_control_length;
    uint8_t pm2_control_length;
    uint8_t pm_timer_length;
    uint8_t gpe_length[2];
    uint8_t gpe1_base;
    uint8_t cst_control;
    uint16_t c2_latency;
    uint16_t c3_latency;
    uint16_t flush_size;
    uint16_t flush_stride;
    uint8_t duty_offset;
    uint8_t duty_width;
    uint8_t day_alarm;
    uint8_t month_alarm;
    uint8_t century;
    uint16_t boot_flags;
    uint8_t reserved_2;
    uint32_t flags;
    struct generic_address reset_register;
    uint8_t reset_value;
    uint16_t arm_boot_flags;
    uint8_t minor;
    uint64_t x_facs;
    uint64_t x_dsdt;
    struct generic_address x_pm1a_event;
    struct generic_address x_pm1b_event;
    struct generic_address x_pm1a_control;
    struct generic_address x_pm1b_control;
    struct generic_address x_pm2_control;
    struct generic_address x_pm_timer;
    struct generic_address x_gpe[2];
    struct generic_address sleep_control;
    struct generic_address sleep_status;
    uint64_t hypervisor;
} __attribute__((packed));

/* Section 5.2.10. It has no checksum: the guest writes into it. */
struct facs {
    char signature[4];
    uint32_t length;
    uint32_t hardware_signature;
    uint32_t waking_vector;
    uint32_t global_lock;
    uint32_t flags;
    uint64_t x_waking_vector;
    uint8_t version;
    uint8_t reserved[31];
};

/* Section 5.2.12 */
struct madt_header {
    struct header header;
    uint32_t local_apic;
    uint32_t flags;
};

/* Section 5.2.12.2 */
struct local_apic {
    uint8_t type;
    uint8_t length;
    uint8_t processor;
    uint8_t apic_id;
    uint32_t flags;
};

/* Section 5.2.12.3 */
struct io_apic {
    uint8_t type;
    uint8_t length;
    uint8_t id;
    uint8_t reserved;
    uint32_t address;
    uint32_t first_interrupt;
};

/* Section 5.2.12.5 */
struct interrupt_override {
    uint8_t type;
    uint8_t length;
    uint8_t bus; /* 0: ISA */
    uint8_t irq;
    uint32_t interrupt;
    uint16_t flags;
} __attribute__((packed));

/* Section 5.2.12.7 */
struct local_nmi {
    uint8_t type;
    uint8_t length;
    uint8_t processor;
    uint16_t flags;
    uint8_t pin;
} __attribute__((packed));

static_assert(sizeof(struct header) == 36, "Table 5.4");
static_assert(sizeof(struct root_pointer) == 20, "Table 5.3");
static_assert(sizeof(struct generic_address) == 12, "Table 5.1");
static_assert(sizeof(struct fadt) == 276, "Table 5.9");
static_assert(offsetof(struct fadt, century) == 108, "Table 5.9");
static_assert(offsetof(struct fadt, x_facs) == 132, "Table 5.9");
static_assert(sizeof(struct facs) == 64, "section 5.2.10");
static_assert(sizeof(struct rsdt) == 44, "section 5.2.7");
static_assert(sizeof(struct madt_header) == 44, "section 5.2.12");
static_assert(sizeof(struct local_apic) == 8, "section 5.2.12.2");
static_assert(sizeof(struct io_apic) == 12, "section 5.2.12.3");
static_assert(sizeof(struct interrupt_override) == 10, "section 5.2.12.5");
static_assert(sizeof(struct local_nmi) == 6, "section 5.2.12.7");

enum {
    OVERRIDES_MAX = 2,
    MADT_SIZE_MAX = sizeof(struct madt_header) + ACPI_TABLES_CPUS_MAX * sizeof(struct local_apic) +
                    sizeof(struct io_apic) + OVERRIDES_MAX * sizeof(struct interrupt_override) +
                    sizeof(struct local_nmi),
};

/*
 * \_S5, the package of values for the sleep type of "off": section 7.4.2, and 16.1.6 on what they
 * are for. Encoded by section 20.2, "AML Grammar Definition".
 */
static const uint8_t s5[] = {
    0x08,                         /* NameOp: 20.2.5.1 */
    '_',  'S',                    /* NameSeg: 20.2.2 */
    '5',  '_',                    /* filled up with '_' */
    0x12,                         /* PackageOp: 20.2.5.4 */
    0x08,                         /* PkgLength: 20.2.4; from itself to the end */
    0x04,                         /* NumElements */
    0x0a, ACPI_PM_SLEEP_TYPE_OFF, /* BytePrefix: 20.2.3; SLP_TYP of PM1a's control */
    0x0a, ACPI_PM_SLEEP_TYPE_OFF, /* of PM1b's, which is not there */
    0x00, 0x00,                   /* ZeroOp, twice: reserved */
};

/* Section 5.2.11.1 */
struct dsdt {
    struct header header;
    uint8_t aml[sizeof(s5)];
} __attribute__((packed));

struct madt {
    unsigned char bytes[MADT_SIZE_MAX];
    size_t size;
};

/* The page, as it is filled. */
struct page {
    unsigned char bytes[ACPI_TABLES_SIZE];
    size_t size;
};

static struct header header_of(const char signature[static 4], uint8_t revision)
{
    struct header header = {
        .revision = revision,
        .oem = { 'V', 'M', 'M', 'D', ' ', ' ' },
        .oem_table = { 'V', 'M', 'M', 'D', 'P', 'C', ' ', ' ' },
        .oem_revision = 1,
        .creator = { 'V', 'M', 'M', 'D' },
        .creator_revision = 1,
    };

    memcpy(header.signature, signature, sizeof(header.signature));
    return header;
}

/* Returns its address for the guest. */
static uint32_t add(struct page *page, const void *data, size_t size)
{
    const size_t at = (page->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    assert(at + size <= sizeof(page->bytes));
    memcpy(page->bytes + at, data, size);
    page->size = at + size;
    return (uint32_t)(ACPI_TABLES_ADDRESS + at);
}

/* A table that begins with a header, whose length and checksum are still to be filled in. */
static uint32_t add_table(struct page *page, void *table, size_t size)
{
    struct header header;

    memcpy(&header, table, sizeof(header));
    header.length = (uint32_t)size;
    memcpy(table, &header, sizeof(header));
    header.checksum = checksum(table, size);
    memcpy(table, &header, sizeof(header));
    return add(page, table, size);
}

static uint32_t add_facs(struct page *page)
{
    const struct facs facs = {
        .signature = { 'F', 'A', 'C', 'S' },
        .length = sizeof(facs),
        .version = FACS_VERSION,
    };

    return add(page, &facs, sizeof(facs));
}

/* Revision 2: its integers have 64 bits (section 5.2.11.1). */
static uint32_t add_dsdt(struct page *page)
{
    struct dsdt dsdt = { .header = header_of("DSDT", 2) };

    memcpy(dsdt.aml, s5, sizeof(s5));
    return add_table(page, &dsdt, sizeof(dsdt));
}

static struct generic_address port(uint64_t address, unsigned size, uint8_t access)
{
    return (struct generic_address){
        .space = SPACE_IO,
        .bits = (uint8_t)(size * 8),
        .access = access,
        .address = address,
    };
}

enum {
    EVENT_PORT = ACPI_TABLES_PM_PORT + ACPI_PM_EVENT,
    CONTROL_PORT = ACPI_TABLES_PM_PORT + ACPI_PM_CONTROL,
    TIMER_PORT = ACPI_TABLES_PM_PORT + ACPI_PM_TIMER,
};

static uint32_t add_fadt(struct page *page)
{
    const uint32_t facs = add_facs(page), dsdt = add_dsdt(page);
    struct fadt fadt = {
        .header = header_of("FACP", FADT_MAJOR),
        .minor = FADT_MINOR,
        .facs = facs,
        .dsdt = dsdt,
        .sci_irq = SCI_IRQ,
        .pm1a_event = EVENT_PORT,
        .pm1_event_length = ACPI_PM_EVENT_SIZE,
        .x_pm1a_event = port(EVENT_PORT, ACPI_PM_EVENT_SIZE, ACCESS_WORD),
        .pm1a_control = CONTROL_PORT,
        .pm1_control_length = ACPI_PM_CONTROL_SIZE,
        .x_pm1a_control = port(CONTROL_PORT, ACPI_PM_CONTROL_SIZE, ACCESS_WORD),
        .pm_timer = TIMER_PORT,
        .pm_timer_length = ACPI_PM_TIMER_SIZE,
        .x_pm_timer = port(TIMER_PORT, ACPI_PM_TIMER_SIZE, ACCESS_DWORD),
        .c2_latency = NO_C2,
        .c3_latency = NO_C3,
        .century = CMOS_CENTURY,
        .boot_flags = LEGACY_DEVICES | HAS_8042 | NO_VGA | NO_MSI,
        .flags = WBINVD | PROC_C1 | NO_POWER_BUTTON | NO_SLEEP_BUTTON | NO_FIXED_RTC_WAKE |
                 TIMER_32_BITS | RESET_REGISTER,
        .reset_register = port(RESET_CONTROL_PORT, 1, ACCESS_BYTE),
        .reset_value = RESET_VALUE,
    };

    return add_table(page, &fadt, sizeof(fadt));
}

static void add_entry(struct madt *madt, const void *entry, size_t size)
{
    memcpy(madt->bytes + madt->size, entry, size);
    madt->size += size;
}

static void add_processors(struct madt *madt, unsigned cpus)
{
    for (unsigned i = 0; i < cpus; i++) {
        const struct local_apic processor = {
            .type = ENTRY_LOCAL_APIC,
            .length = sizeof(processor),
            .processor = (uint8_t)i,
            .apic_id = (uint8_t)i,
            .flags = PROCESSOR_ENABLED,
        };

        add_entry(madt, &processor, sizeof(processor));
    }
}

static void add_io_apic(struct madt *madt)
{
    const struct io_apic io_apic = {
        .type = ENTRY_IO_APIC,
        .length = sizeof(io_apic),
        .id = IO_APIC_ID,
        .address = IO_APIC_ADDRESS,
    };

    add_entry(madt, &io_apic, sizeof(io_apic));
}

static void add_override(struct madt *madt, uint8_t irq, unsigned pin, uint16_t flags)
{
    const struct interrupt_override override = {
        .type = ENTRY_OVERRIDE,
        .length = sizeof(override),
        .irq = irq,
        .interrupt = pin,
        .flags = flags,
    };

    add_entry(madt, &override, sizeof(override));
}

/* Section 5.2.12.5: ISA interrupts are at the pins of their numbers but for these. The SCI would be
 * taken for active low (section 5.2.9, SCI_INT), which KVM's I/O APIC does not look at. */
static void add_overrides(struct madt *madt, unsigned timer_pin)
{
    if (timer_pin != TIMER_IRQ)
        add_override(madt, TIMER_IRQ, timer_pin, AS_THE_BUS);
    add_override(madt, SCI_IRQ, SCI_IRQ, LEVEL_HIGH);
}

static void add_local_nmi(struct madt *madt)
{
    const struct local_nmi nmi = {
        .type = ENTRY_LOCAL_NMI,
        .length = sizeof(nmi),
        .processor = EVERY_PROCESSOR,
        .flags = AS_THE_BUS,
        .pin = LINT1,
    };

    add_entry(madt, &nmi, sizeof(nmi));
}

static uint32_t add_madt(struct page *page, unsigned cpus, unsigned timer_pin)
{
    const struct madt_header header = {
        .header = header_of("APIC", MADT_REVISION),
        .local_apic = LOCAL_APIC_ADDRESS,
        .flags = PCAT_COMPAT,
    };
    struct madt madt = { .size = 0 };

    add_entry(&madt, &header, sizeof(header));
    add_processors(&madt, cpus);
    add_io_apic(&madt);
    add_overrides(&madt, timer_pin);
    add_local_nmi(&madt);
    return add_table(page, madt.bytes, madt.size);
}

static uint32_t add_rsdt(struct page *page, unsigned cpus, unsigned timer_pin)
{
    const uint32_t fadt = add_fadt(page), madt = add_madt(page, cpus, timer_pin);
    struct rsdt rsdt = { .header = header_of("RSDT", 1), .fadt = fadt, .madt = madt };

    return add_table(page, &rsdt, sizeof(rsdt));
}

/* Section 5.2.5.1: kernels look for the pointer from 0xe0000 to 1 MiB. */
static void make_page(struct page *page, unsigned cpus, unsigned timer_pin)
{
    struct root_pointer pointer = {
        .signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
        .oem = { 'V', 'M', 'M', 'D', ' ', ' ' },
    };

    *page = (struct page){ .size = sizeof(pointer) };
    pointer.rsdt = add_rsdt(page, cpus, timer_pin);
    pointer.checksum = checksum(&pointer, sizeof(pointer));
    memcpy(page->bytes, &pointer, sizeof(pointer));
}

static bool is_empty(const struct guest_memory *memory)
{
    static const unsigned char zeros[ACPI_TABLES_SIZE];
    unsigned char bytes[ACPI_TABLES_SIZE];

    guest_memory_read(memory, ACPI_TABLES_ADDRESS, bytes, sizeof(bytes));
    return memcmp(bytes, zeros, sizeof(bytes)) == 0;
}

int acpi_tables_write(struct guest_memory *memory, unsigned cpus, unsigned timer_pin)
{
    struct page page;

    assert(cpus >= 1 && cpus <= ACPI_TABLES_CPUS_MAX);
    if (!guest_memory_holds(memory, 0, BIOS_END))
        return -ENOSPC;
    if (!is_empty(memory))
        return -EEXIST;
    make_page(&page, cpus, timer_pin);
    return guest_memory_write(memory, ACPI_TABLES_ADDRESS, page.bytes, page.size);
}

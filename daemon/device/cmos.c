/*
 * The clock: Motorola MC146818A data sheet. The memory: pc_cmos_init() in QEMU's hw/i386/pc.c, and
 * SeaBIOS's src/hw/rtc.h.
 */
#include "device/cmos.h"

#include <time.h>

enum {
    INDEX_PORT = 0,
    INDEX_MASK = 0x7f, /* bit 7 masks NMIs, which there are none of */

    SECONDS = 0x00,
    MINUTES = 0x02,
    HOURS = 0x04,
    WEEKDAY = 0x06,
    DAY = 0x07,
    MONTH = 0x08,
    YEAR = 0x09,
    STATUS_A = 0x0a,
    STATUS_B = 0x0b,
    STATUS_C = 0x0c,
    STATUS_D = 0x0d,
    EQUIPMENT = 0x14,
    BASE_MEMORY = 0x15,
    EXTENDED_MEMORY = 0x17,
    EXTENDED_MEMORY_AGAIN = 0x30,
    MEMORY_ABOVE_16M = 0x34,
    MEMORY_ABOVE_4G = 0x5b,
    OTHER_CPUS = 0x5f,

    A_UPDATE_IN_PROGRESS = 0x80,
    A_DEFAULT = 0x26, /* a crystal of 32768 Hz, periodic interrupt 1024 Hz */
    B_24_HOURS = 0x02,
    B_BINARY = 0x04,
    D_VALID = 0x80, /* the battery is good */

    HOURS_PM = 0x80,

    EQUIPMENT_FPU = 0x02,
};

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)

static uint64_t beyond(uint64_t bytes, uint64_t start)
{
    return bytes > start ? bytes - start : 0;
}

/* Little-endian, in `size` bytes from index on, or the most they can say. */
static void store(struct cmos *cmos, unsigned index, unsigned size, uint64_t value)
{
    uint64_t most = (UINT64_C(1) << 8 * size) - 1;

    if (value > most)
        value = most;
    for (unsigned i = 0; i < size; i++)
        cmos->bytes[index + i] = (uint8_t)(value >> 8 * i);
}

void cmos_init(struct cmos *cmos, const struct cmos_memory *memory, unsigned cpus,
               const struct cmos_clock *clock)
{
    *cmos = (struct cmos){ .clock = *clock, .memory = *memory, .cpus = cpus };
}

void cmos_reset(void *device)
{
    struct cmos *cmos = device;
    const struct cmos_memory *memory = &cmos->memory;
    uint64_t base = memory->below_4g < 640 * KIB ? memory->below_4g : 640 * KIB;
    uint64_t extended = beyond(memory->below_4g, 1 * MIB);

    cmos->bytes[STATUS_A] = A_DEFAULT;
    cmos->bytes[STATUS_B] = B_24_HOURS;
    cmos->bytes[STATUS_D] = D_VALID;
    cmos->bytes[EQUIPMENT] = EQUIPMENT_FPU;
    store(cmos, BASE_MEMORY, 2, base / KIB);
    store(cmos, EXTENDED_MEMORY, 2, extended / KIB);
    store(cmos, EXTENDED_MEMORY_AGAIN, 2, extended / KIB);
    store(cmos, MEMORY_ABOVE_16M, 2, beyond(memory->below_4g, 16 * MIB) / (64 * KIB));
    store(cmos, MEMORY_ABOVE_4G, 3, memory->above_4g / (64 * KIB));
    store(cmos, OTHER_CPUS, 1, cmos->cpus - 1);
}

/* "Set bit", "DM": binary or binary-coded decimal. */
static uint8_t encode(const struct cmos *cmos, int value)
{
    if (cmos->bytes[STATUS_B] & B_BINARY)
        return (uint8_t)value;
    return (uint8_t)(value / 10 << 4 | value % 10);
}

/* "24/12": of 12 hours, the first is 12, and bit 7 says that it is afternoon. */
static uint8_t encode_hours(const struct cmos *cmos, int hours)
{
    if (cmos->bytes[STATUS_B] & B_24_HOURS)
        return encode(cmos, hours);
    return encode(cmos, hours % 12 ? hours % 12 : 12) | (hours >= 12 ? HOURS_PM : 0);
}

static uint8_t read_index(const struct cmos *cmos, uint8_t index)
{
    time_t now = (time_t)cmos->clock.now(cmos->clock.context);
    struct tm tm;

    gmtime_r(&now, &tm);
    switch (index) {
    case SECONDS:
        return encode(cmos, tm.tm_sec);
    case MINUTES:
        return encode(cmos, tm.tm_min);
    case HOURS:
        return encode_hours(cmos, tm.tm_hour);
    case WEEKDAY: /* Sunday is 1 */
        return encode(cmos, tm.tm_wday + 1);
    case DAY:
        return encode(cmos, tm.tm_mday);
    case MONTH:
        return encode(cmos, tm.tm_mon + 1);
    case YEAR:
        return encode(cmos, tm.tm_year % 100);
    case CMOS_CENTURY:
        return encode(cmos, (tm.tm_year + 1900) / 100);
    default:
        return cmos->bytes[index];
    }
}

uint8_t cmos_read(void *device, uint64_t offset)
{
    const struct cmos *cmos = device;

    return offset == INDEX_PORT ? 0xff
                                : read_index(cmos, cmos->index); /* the index is write-only */
}

static void write_index(struct cmos *cmos, uint8_t index, uint8_t value)
{
    switch (index) {
    case STATUS_A: /* an update takes no time: a guest never has to wait for one to end */
        cmos->bytes[index] = value & (uint8_t)~A_UPDATE_IN_PROGRESS;
        break;
    case STATUS_C:
    case STATUS_D:
        break;
    default: /* the clock's own as well: they are read from elsewhere */
        cmos->bytes[index] = value;
        break;
    }
}

void cmos_write(void *device, uint64_t offset, uint8_t value)
{
    struct cmos *cmos = device;

    if (offset == INDEX_PORT)
        cmos->index = value & INDEX_MASK;
    else
        write_index(cmos, cmos->index, value);
}

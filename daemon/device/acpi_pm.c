/*
 * "Section" and "Table" mean the ACPI specification, version 6.4.
 */
#include "device/acpi_pm.h"

#include "util/clock.h"

enum {
    ENABLE = 2,
    CONTROL_HIGH = ACPI_PM_CONTROL + 1,

    /* Section 4.8.3.2.1, Table 4.13; those of the high byte counted from it */
    SCI_ENABLED = 0x01,
    BUS_MASTER_RELOAD = 0x02,
    SLEEP_TYPE_SHIFT = 2,
    SLEEP_TYPE = 0x7 << SLEEP_TYPE_SHIFT,
    SLEEP_ENABLE = 0x20, /* written only: reads as 0 */
};

void acpi_pm_init(struct acpi_pm *pm, struct guest_end *end, const struct acpi_pm_clock *clock)
{
    *pm = (struct acpi_pm){ .end = end, .clock = *clock };
}

void acpi_pm_reset(void *device)
{
    struct acpi_pm *pm = device;

    pm->control[0] = SCI_ENABLED;
}

/* Seconds and the rest apart: their product with the frequency would overflow within two hours. */
static uint32_t timer_value(const struct acpi_pm *pm)
{
    const int64_t now_ns = pm->clock.now_ns(pm->clock.context);
    const int64_t seconds = now_ns / CLOCK_NS_PER_SEC, rest_ns = now_ns % CLOCK_NS_PER_SEC;

    return (uint32_t)(seconds * ACPI_PM_TIMER_HZ + rest_ns * ACPI_PM_TIMER_HZ / CLOCK_NS_PER_SEC);
}

/* Section 4.8.3.3 */
uint64_t acpi_pm_read_timer(void *device, uint64_t offset, unsigned size)
{
    (void)size;
    return timer_value(device) >> 8 * offset;
}

uint8_t acpi_pm_read(void *device, uint64_t offset)
{
    const struct acpi_pm *pm = device;

    switch (offset) {
    case ENABLE:
    case ENABLE + 1:
        return pm->enable[offset - ENABLE];
    case ACPI_PM_CONTROL:
    case CONTROL_HIGH:
        return pm->control[offset - ACPI_PM_CONTROL];
    default: /* status, and what lies between control and timer */
        return 0;
    }
}

/* Section 4.8.3.2.1: SLP_EN has the machine enter the state of SLP_TYP, which is in the same byte.
 * There is one. */
static void write_control_high(struct acpi_pm *pm, uint8_t value)
{
    pm->control[1] = value & SLEEP_TYPE;
    if (value & SLEEP_ENABLE && pm->control[1] >> SLEEP_TYPE_SHIFT == ACPI_PM_SLEEP_TYPE_OFF)
        guest_end_set(pm->end, GUEST_END_GUEST_EXIT, 0, "the guest powered the machine off");
}

void acpi_pm_write(void *device, uint64_t offset, uint8_t value)
{
    struct acpi_pm *pm = device;

    switch (offset) {
    case ENABLE:
    case ENABLE + 1:
        pm->enable[offset - ENABLE] = value;
        break;
    case ACPI_PM_CONTROL: /* without SMI_CMD, ACPI mode cannot be left: section 4.8.2.5 */
        pm->control[0] = (value & BUS_MASTER_RELOAD) | SCI_ENABLED;
        break;
    case CONTROL_HIGH:
        write_control_high(pm, value);
        break;
    }
}

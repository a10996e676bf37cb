/*
 * ACPI power management: the fixed hardware by which a guest powers the machine off, and its timer.
 *
 * Nothing ever happens that it would tell: there are no buttons, and the timer's overflow, which a
 * guest sees by looking, sets no status. So no status bit is ever set, and no interrupt raised. The
 * machine is in ACPI mode from the start.
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdint.h>

#include "kvm/bus.h"
#include "shared/guest_end.h"

/* The registers, one after the other: ACPI specification 6.4, section 4.8.1, Table 4.10. */
enum {
    ACPI_PM_EVENT = 0, /* status, then enable, 2 bytes each */
    ACPI_PM_EVENT_SIZE = 4,
    ACPI_PM_CONTROL = 4,
    ACPI_PM_CONTROL_SIZE = 2,
    ACPI_PM_TIMER = 8,
    ACPI_PM_TIMER_SIZE = 4,
    ACPI_PM_REGISTERS_SIZE = 8, /* of all but the timer */
};

/* The register has 32 bits. A guest that reads fewer gets those of the count as it is then. */
enum { ACPI_PM_TIMER_WIDTHS = BUS_8_BITS | BUS_16_BITS | BUS_32_BITS };

/* What a guest writes to the control register's SLP_TYP to power off: its tables tell it so. */
enum { ACPI_PM_SLEEP_TYPE_OFF = 5 };

#define ACPI_PM_TIMER_HZ INT64_C(3579545) /* section 4.8.3.3 */

/* The time since an unspecified start, in nanoseconds; never goes back. */
struct acpi_pm_clock {
    int64_t (*now_ns)(void *context);
    void *context;
};

struct acpi_pm {
    struct guest_end *end;
    struct acpi_pm_clock clock;

    uint8_t enable[2]; /* from here on: its state */
    uint8_t control[2];
};

/* Wires it; all of its state is 0, and a reset has to follow. end and the clock's context must
 * outlive the device. */
void acpi_pm_init(struct acpi_pm *pm, struct guest_end *end, const struct acpi_pm_clock *clock);

/* State after reset, where it is not 0. */
void acpi_pm_reset(void *pm);

/* A struct bus_range's functions, for ACPI_PM_REGISTERS_SIZE bytes. */
uint8_t acpi_pm_read(void *pm, uint64_t offset);
void acpi_pm_write(void *pm, uint64_t offset, uint8_t value);

/* Likewise, for ACPI_PM_TIMER_SIZE bytes at ACPI_PM_TIMER. Widths: ACPI_PM_TIMER_WIDTHS. */
uint64_t acpi_pm_read_timer(void *pm, uint64_t offset, unsigned size);

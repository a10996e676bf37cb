/*
 * ACPI tables: how a PC tells a kernel of its processors, of where interrupts go, of how to power
 * it off and of its reset register, by the ACPI specification, version 6.4. A PC's firmware would
 * write them.
 *
 * They describe no other device: what is there, a kernel finds where PCs always had it.
 *
 * The VM's thread, before the guest runs.
 */
#pragma once

#include "kvm/guest_memory.h"

enum { ACPI_TABLES_CPUS_MAX = 64 };

/* Where they are: one page, the pointer to them first. */
#define ACPI_TABLES_ADDRESS UINT64_C(0xe0000)
#define ACPI_TABLES_SIZE    UINT64_C(0x1000)

/* Where the board has struct acpi_pm's registers. */
enum { ACPI_TABLES_PM_PORT = 0x600 };

/*
 * Writes them for processors 0..cpus-1 (at most ACPI_TABLES_CPUS_MAX) with local APIC ids the same,
 * and an I/O APIC, id 0. timer_pin: as for mp_table_write(). Errors: -ENOSPC (the guest has less
 * than 1 MiB of memory), -EEXIST (something was loaded there); nothing was written then.
 */
int acpi_tables_write(struct guest_memory *memory, unsigned cpus, unsigned timer_pin);

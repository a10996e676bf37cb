/*
 * MP table: how a PC without ACPI tells a kernel of its processors and of where interrupts go, by
 * Intel's MultiProcessor Specification, version 1.4. A PC's firmware would write it.
 *
 * The pointer to it is in the extended BIOS data area, the last KiB below 640 KiB, and so is the
 * table if it fits; else it is at 0xf0000. Kernels are not to take either for free memory.
 *
 * The VM's thread, before the guest runs.
 */
#pragma once

#include "kvm/guest_memory.h"
#include "util/error.h"

enum { MP_TABLE_CPUS_MAX = 64 };

/* The extended BIOS data area: from here to 640 KiB. */
#define MP_TABLE_EBDA UINT64_C(0x9fc00)

/*
 * Writes the table for processors 0..cpus-1 (at most MP_TABLE_CPUS_MAX) with local APIC ids the
 * same, and an I/O APIC, id 0. ISA interrupts go to its pin of their number, but IRQ 0, the timer,
 * to timer_pin: 0 as KVM routes it if nobody tells it otherwise, 2 as PCs are wired and QEMU sets
 * it (KVM_SET_GSI_ROUTING). Errors: -ENOSPC (the guest has less than 640 KiB of memory; than 1 MiB,
 * with more than 39 processors).
 */
int mp_table_write(struct guest_memory *memory, unsigned cpus, unsigned timer_pin,
                   struct error *err);

/*
 * Arch: what each architecture provides to the machine; one folder each (x86/, riscv64/).
 *
 * All functions: the VM's thread.
 */
#pragma once

#include <stddef.h>

#include "kvm/boot.h"
#include "kvm/exits.h"
#include "kvm/kvm_host.h"
#include "kvm/register_dump.h"

/* What guests of this architecture are called on the wire: "x86-64". */
extern const char arch_name[];

/* Where RAM begins. */
extern const gpa_t arch_memory_base;

extern const struct kvm_capability arch_capabilities[];
extern const size_t arch_capability_count;

/* Handlers by exit reason; no row, or NULL: the VM ends with an error. */
extern const exit_fn arch_exit_table[];
extern const size_t arch_exit_count;

/* What a VM needs before its first vCPU. Errors: -ENODEV. */
int arch_init_vm(struct machine *machine, struct error *err);

/* Registers for the guest's first instruction. Errors: -ENODEV. */
int arch_boot_vcpu(struct machine *machine, const struct boot *boot, struct error *err);

/* The vCPU's registers now. An ioctl that fails leaves its rows out. */
void arch_dump_registers(struct machine *machine, struct register_dump *ret);

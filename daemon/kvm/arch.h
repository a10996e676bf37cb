/*
 * Arch: what each architecture provides to the machine; one folder each (x86/, riscv64/).
 *
 * Unless said otherwise: the vCPU's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kvm/boot.h"
#include "kvm/exits.h"
#include "kvm/kvm_host.h"
#include "shared/register_dump.h"

struct machine;
struct machine_config;
struct vcpu;

/* What guests of this architecture are called on the wire: "x86-64". */
extern const char arch_name[];

/* KVM's kernel module, for a sentence: "kvm-amd or kvm-intel". */
extern const char arch_kvm_module[];

/* Where RAM begins. */
extern const gpa_t arch_memory_base;

/* At most KVM_CAPABILITY_ARCH_MAX: the table has a static_assert of it. */
extern const struct kvm_capability arch_capabilities[];
extern const size_t arch_capability_count;

/* Handlers by exit reason; no row, or NULL: the VM ends with an error. */
extern const exit_fn arch_exit_table[];
extern const size_t arch_exit_count;

/* What of the host's KVM is asked once for all VMs. *ret: for host->arch, freed by free(3). Loop
 * thread. Errors: -ENODEV, -ENOMEM. */
int arch_open_host(int kvm_fd, void **ret, struct error *err);

/* What a VM needs before its first vCPU. Errors: -ENODEV. */
int arch_init_vm(struct machine *machine, struct error *err);

/* What a vCPU needs before it runs. Errors: -ENODEV. */
int arch_init_vcpu(struct vcpu *vcpu, struct error *err);

/* What the guest's memory must hold for such a start besides the image. Errors: -ENOMEM. */
int arch_prepare_boot(struct machine *machine, const struct boot *boot, struct error *err);

/* Registers for the guest's first instruction. Errors: -ENODEV. */
int arch_boot_vcpu(struct vcpu *vcpu, const struct boot *boot, struct error *err);

/* Whether a vCPU of such a machine that waits for an interrupt does so within KVM_RUN. Any thread.
 */
bool arch_waits_in_kvm(const struct machine_config *config);

/* Whether the vCPU waits for what only another one could do: it was never started, or it halted and
 * takes no interrupt. Asked when it was just brought out of the guest. */
bool arch_is_asleep(struct vcpu *vcpu);

/* Whether the vCPU can do nothing any more but fault, where that is no exit. Asked likewise, and
 * when KVM gave up: when KVM_RUN has failed. */
bool arch_is_lost(struct vcpu *vcpu, bool gave_up);

/* The vCPU's registers and next instruction now. An ioctl that fails leaves its rows out. */
void arch_dump_registers(struct vcpu *vcpu, struct register_dump *ret);

/* The buffer of a hypercall: its address as the guest's program sees it, and its size in bytes.
 * Errors: -EFAULT (KVM does not tell). */
int arch_hypercall_buffer(struct vcpu *vcpu, uint64_t *ret_address, uint64_t *ret_size);

/* The guest physical address behind an address of the guest's program, which holds up to the end
 * of its page. After arch_hypercall_buffer() or arch_dump_registers(), before the vCPU runs again.
 * Errors: -EFAULT. */
int arch_translate(struct vcpu *vcpu, uint64_t address, gpa_t *ret);

/*
 * Exits: what KVM_RUN returns for, and the handlers that are the same on every architecture
 * (api.rst section 5, "The kvm_run structure").
 */
#pragma once

struct vcpu;

/* Handles one exit; sets the machine's end where the guest cannot go on, and vcpu->again where the
 * exit has to wait. The vCPU's thread, machine's lock held. */
typedef void (*exit_fn)(struct vcpu *vcpu);

void exit_mmio(struct vcpu *vcpu);
void exit_fail_entry(struct vcpu *vcpu);
void exit_internal_error(struct vcpu *vcpu);

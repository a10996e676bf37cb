/*
 * Registers of an x86 vCPU: where the guest is, and what it gets as an answer.
 *
 * The vCPU's thread, between two KVM_RUNs.
 */
#pragma once

#include <stdint.h>

struct kvm_sregs;
struct vcpu;

/* How wide the code is that runs: 16, 32 or 64 bits. */
unsigned registers_code_bits(const struct kvm_sregs *sregs);

/* The result of a hypercall: AX, EAX or RAX, as the guest's code is wide. */
void registers_set_result(struct vcpu *vcpu, uint64_t result);

/* The result of a hypercall that is two bytes, AL and AH, whatever the code. */
void registers_set_word(struct vcpu *vcpu, uint16_t result);

/*
 * One-reg: the registers of a riscv64 vCPU, one system call each (api.rst sections 4.68
 * KVM_SET_ONE_REG, 4.69 KVM_GET_ONE_REG). There is no other way: no KVM_GET_REGS, no shared page.
 *
 * The vCPU's thread, between two KVM_RUNs, or before the first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/kvm.h>

struct vcpu;

#define ONE_REG_CORE(name)   (KVM_REG_RISCV_CORE | KVM_REG_RISCV_CORE_REG(name))
#define ONE_REG_CSR(name)    (KVM_REG_RISCV_CSR | KVM_REG_RISCV_CSR_REG(name))
#define ONE_REG_CONFIG(name) (KVM_REG_RISCV_CONFIG | KVM_REG_RISCV_CONFIG_REG(name))
#define ONE_REG_TIMER(name)  (KVM_REG_RISCV_TIMER | KVM_REG_RISCV_TIMER_REG(name))

/* Whether it has such a register; *ret is its value then. */
bool one_reg_get(const struct vcpu *vcpu, uint64_t id, uint64_t *ret);

/* Whether it was set. errno says why not. */
bool one_reg_set(const struct vcpu *vcpu, uint64_t id, uint64_t value);

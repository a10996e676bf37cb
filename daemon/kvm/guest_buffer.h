/*
 * Guest buffer: memory by the addresses that the guest's program sees, which its page tables may
 * scatter over its physical memory.
 *
 * The vCPU's thread. Errors of all: -EFAULT, not all of it is there; what came before may have been
 * copied.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct vcpu;

/* Whether it is all there. */
int guest_buffer_check(struct vcpu *vcpu, uint64_t address, uint64_t size);

int guest_buffer_read(struct vcpu *vcpu, uint64_t address, void *data, size_t size);
int guest_buffer_write(struct vcpu *vcpu, uint64_t address, const void *data, size_t size);

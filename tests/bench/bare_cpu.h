/*
 * Bare CPU: what bare_vm.c has to know of the architecture; one folder each (x86/, riscv64/).
 */
#pragma once

#include <stdint.h>

extern const uint64_t bare_cpu_memory_base;
extern const uint64_t bare_cpu_load_address;

/* The exit by which the guest `minimal` ends: KVM_EXIT_HLT. */
extern const uint32_t bare_cpu_last_exit;

/* The vCPU is at the image's first instruction. */
void bare_cpu_set_registers(int vcpu_fd);

/* Returns result; negative: ends the program with errno's sentence after `what`. */
int bare_must(int result, const char *what);

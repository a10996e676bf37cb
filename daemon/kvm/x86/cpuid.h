/*
 * CPUID: what the guest's processors say they are: what KVM can do on this host, in one package of
 * as many cores as the machine has vCPUs.
 */
#pragma once

#include "util/error.h"

struct kvm_cpuid2;

/* What KVM supports here (api.rst section 4.46, KVM_GET_SUPPORTED_CPUID). Freed by free(3). Loop
 * thread. Errors: -ENODEV, -ENOMEM. */
int cpuid_open(int kvm_fd, struct kvm_cpuid2 **ret, struct error *err);

enum { CPUID_ENTRIES_MAX = 256 }; /* KVM_MAX_CPUID_ENTRIES */

/* What vCPU `index` of `cpus` is to say. ret: has room for CPUID_ENTRIES_MAX entries. */
void cpuid_fill(const struct kvm_cpuid2 *supported, unsigned index, unsigned cpus,
                struct kvm_cpuid2 *ret);

/* Gives it to vCPU `index` of `cpus`. The vCPU's thread. Errors: -ENODEV, -ENOMEM. */
int cpuid_set(int vcpu_fd, const struct kvm_cpuid2 *supported, unsigned index, unsigned cpus,
              struct error *err);

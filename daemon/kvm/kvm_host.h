/*
 * KVM host: /dev/kvm, opened and checked once; every VM is made from it.
 *
 * Constant after kvm_host_open(); any thread may use it then.
 */
#pragma once

#include <stddef.h>

#include "util/error.h"

/* A row of the tables of what vmmd uses of KVM (api.rst section 4.4, KVM_CHECK_EXTENSION). */
struct kvm_capability {
    int number;
    const char *name; /* without KVM_CAP_, lower case: "sync_regs" */
    int required;
};

enum {
    KVM_CAPABILITY_ARCH_MAX = 16, /* rows of an architecture's table */
    KVM_CAPABILITY_MAX = 24,      /* and of it and the common one */
};

struct kvm_host {
    int fd;
    int api_version;
    size_t vcpu_map_size; /* bytes of a vCPU's shared page(s) */
    void *arch;           /* what arch_open_host() found */
    struct {
        const struct kvm_capability *capability;
        int value; /* what KVM_CHECK_EXTENSION answered; 0: not there */
    } capabilities[KVM_CAPABILITY_MAX];
    size_t capability_count;
};

/*
 * Opens /dev/kvm and checks API version and capabilities. Every required capability that is missing
 * is named in *err, and what to do where the device is absent or not permitted.
 * Errors: -ENOENT, -EACCES, -ENODEV (not a KVM that vmmd can use).
 */
int kvm_host_open(struct kvm_host *host, struct error *err);
void kvm_host_close(struct kvm_host *host);

/* What KVM_CHECK_EXTENSION answered for a capability in the tables; 0: not there. */
int kvm_host_capability(const struct kvm_host *host, int number);

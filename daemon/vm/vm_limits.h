/*
 * Limits of VMs, as the settings have them.
 */
#pragma once

#include <stdint.h>

/* Settings that bound VMs. They may change while the daemon runs; what is live stays as it is. */
struct vm_limits {
    uint64_t max_vms;      /* live at once */
    uint64_t memory;       /* bytes, of a VM that asks for none */
    uint64_t max_memory;   /* bytes, of one VM */
    uint64_t ring;         /* bytes, of a VM that asks for none */
    uint64_t max_ring;     /* bytes, of one VM */
    uint64_t retain;       /* ended VMs that stay listed */
    const char *image_dir; /* NULL: images by path are refused */
};

#include "vm/admission.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/output_ring.h"
#include "vm/registry.h"

/* Bytes; they are the host's only once the guest touches them. */
#define KERNEL_MEMORY (UINT64_C(128) * 1024 * 1024)

/* Ended VMs whose workers are still busy taking the machine down; a moment each. */
enum { TEARDOWN_MAX = 256 };

static bool name_is_valid(const char *name)
{
    static const char more[] = "_.-";
    size_t length = strlen(name);

    if (length == 0 || length > VM_NAME_MAX || !isalnum((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isascii((unsigned char)name[i]) ||
            (!isalnum((unsigned char)name[i]) && !strchr(more, name[i])))
            return false;
    return !registry_is_id(name);
}

static int check_name(const struct registry *registry, const char *name, struct error *err)
{
    const struct vm *taken;

    if (!name_is_valid(name))
        return error_set_about(
            err, "name", -EINVAL,
            "name '%s' is not one a VM can have: letters, digits, '_', '.' and '-', a "
            "letter or digit first, at most %d, and not digits only",
            name, VM_NAME_MAX);
    taken = registry_find_live(registry, name);
    if (taken)
        return error_set_about(err, "name", -EEXIST, "VM %" PRIu64 " is %s and has the name '%s'",
                               vm_id(taken), vm_state_to_string(vm_state(taken)), name);
    return 0;
}

void admission_give_name(const struct registry *registry, uint64_t id,
                         char name[static VM_NAME_MAX + 8])
{
    const size_t size = VM_NAME_MAX + 8;

    snprintf(name, size, "vm%" PRIu64, id);
    for (unsigned n = 2; registry_find_live(registry, name); n++)
        snprintf(name, size, "vm%" PRIu64 ".%u", id, n);
}

static int check_limit(const char *what, uint64_t value, const char *setting, uint64_t max,
                       struct error *err)
{
    if (value <= max)
        return 0;
    return error_set_about(err, what, -EDQUOT,
                           "%s of %" PRIu64 " bytes is more than the %" PRIu64
                           " that the setting '%s' allows",
                           what, value, max, setting);
}

static int check_counts(const struct registry *registry, const struct vm_limits *limits,
                        struct error *err)
{
    struct registry_counts counts = registry_counts(registry);

    if (counts.live >= limits->max_vms)
        return error_set(
            err, -EDQUOT,
            "%zu VMs are live, as many as the setting 'max-vms' allows; stop one first",
            counts.live);
    if (counts.held >= limits->max_vms + TEARDOWN_MAX)
        return error_set(err, -EDQUOT, "%zu VMs are still being taken down; try again shortly",
                         counts.held - counts.live);
    return 0;
}

/* What a kernel gets that asks for no memory: what it would have in QEMU, as far as it may. */
static uint64_t kernel_memory(const struct vm_limits *limits)
{
    uint64_t usual = limits->max_memory < KERNEL_MEMORY ? limits->max_memory : KERNEL_MEMORY;

    return limits->memory > usual ? limits->memory : usual;
}

static uint64_t whole_pages(uint64_t bytes)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) / page * page;
}

/* Fills in what was left out, and holds the rest against the limits. */
static int settle(const struct vm_limits *limits, struct definition *definition, struct error *err)
{
    uint64_t ring = OUTPUT_RING_CAPACITY_MIN;
    int r;

    definition->kernel_memory_bytes = definition->memory_bytes;
    if (definition->memory_bytes == 0) {
        definition->memory_bytes = limits->memory;
        definition->kernel_memory_bytes = kernel_memory(limits);
    }
    if (definition->ring_capacity == 0)
        definition->ring_capacity = limits->ring;
    r = check_limit("memory", definition->memory_bytes, "max-memory", limits->max_memory, err);
    if (r == 0)
        r = check_limit("ring", definition->ring_capacity, "max-ring", limits->max_ring, err);
    if (r < 0)
        return r;

    definition->memory_bytes = whole_pages(definition->memory_bytes);
    definition->kernel_memory_bytes = whole_pages(definition->kernel_memory_bytes);
    while (ring < definition->ring_capacity)
        ring *= 2;
    definition->ring_capacity = ring;
    return 0;
}

static int check_sources(const struct vm_limits *limits, const struct vm_request *request,
                         struct error *err)
{
    for (size_t i = 0; i < request->source_count; i++)
        if (request->sources[i].kind == VM_SOURCE_PATH && !limits->image_dir)
            return error_set_about(
                err, "image", -EINVAL,
                "no image directory is configured (setting 'image-dir'): pass the "
                "image itself, as a descriptor or as data");
    return 0;
}

int admission_check(const struct registry *registry, const struct vm_limits *limits,
                    struct vm_request *request, struct error *err)
{
    int r = request->named ? check_name(registry, request->name, err) : 0;

    if (r == 0)
        r = check_counts(registry, limits, err);
    if (r == 0)
        r = settle(limits, &request->definition, err);
    if (r == 0)
        r = check_sources(limits, request, err);
    return r;
}

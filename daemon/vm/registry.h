/*
 * Registry: all VMs of the daemon, live and ended, those of earlier daemons among them.
 *
 * It owns the state directory (vm/state_dir.h). Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/kvm_host.h"
#include "util/error.h"
#include "util/list.h"
#include "vm/vm.h"

struct event_base;
struct registry;
struct work_queue;

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

struct registry_counts {
    size_t live;    /* not in a terminal state */
    size_t ended;   /* listed, in a terminal state */
    size_t threads; /* VM threads that have not gone */
};

/*
 * Takes the state directory (made if it is not there, mode 0700) and reads what earlier daemons
 * left in it. base, host, limits and queue must outlive the registry. Errors: -EBUSY (another
 * daemon has it), -EIO (what the file system said).
 */
int registry_new(struct event_base *base, const struct kvm_host *host,
                 const struct vm_limits *limits, struct work_queue *queue, const char *state_dir,
                 struct registry **ret, struct error *err);

/* No VM thread may be left: see registry_counts(). Accepts NULL. */
void registry_free(struct registry *registry);

/*
 * Makes a VM of config and starts its thread; state VM_STARTING. Takes config, but on failure
 * leaves to the caller what it has not taken yet.
 * config's ring and memory of 0 become the configured ones. *ret is the registry's.
 * Errors: -EINVAL (name, image path), -EEXIST (name), -EDQUOT (a limit), -EIO (state directory),
 * -EAGAIN, -ENOMEM, -ESHUTDOWN.
 */
int registry_start_vm(struct registry *registry, struct vm_config *config,
                      const struct vm_peer *owner, struct vm **ret, struct error *err);

/* By id, or NULL. */
struct vm *registry_find_id(const struct registry *registry, uint64_t id);

/* By id in digits, or by name: the live VM of that name, else the latest ended one. Or NULL. */
struct vm *registry_find(const struct registry *registry, const char *text);

/* Forgets an ended VM and deletes its file. Errors: -EBUSY (it has not ended). */
int registry_remove(struct registry *registry, struct vm *vm, struct error *err);

/* Stops all VMs, and refuses to start more. by: the daemon itself. */
void registry_shut_down(struct registry *registry, const struct vm_peer *by);

/* All listed VMs, oldest first, by their `link`. */
const struct list *registry_vms(const struct registry *registry);

struct registry_counts registry_counts(const struct registry *registry);
const char *registry_state_dir(const struct registry *registry);
struct event_base *registry_base(const struct registry *registry);

/* Told of the state of all VMs: VM_NOTICE_STATE. */
void registry_observe(struct registry *registry, struct vm_observer *observer);

/* Called with the counts after each change of them; one place. */
void registry_on_counts(struct registry *registry, void (*fn)(void *context), void *context);

/* The settings changed: retires what is now too many. */
void registry_limits_changed(struct registry *registry);

/* For vm.c: its VM changed state, came to its end, has no thread any more, has no reference. */
void registry_vm_changed(struct registry *registry, struct vm *vm);
void registry_vm_ended(struct registry *registry, struct vm *vm);
void registry_thread_gone(struct registry *registry);
void registry_dispose(struct registry *registry, struct vm *vm);

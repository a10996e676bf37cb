/*
 * Registry: all VMs of the daemon, live and ended, those of earlier daemons among them: the index,
 * and what keeps it true: the state directory (vm/state_dir.h), the ledger, the workers.
 *
 * Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"
#include "util/list.h"
#include "vm/vm.h"
#include "vm/vm_limits.h"
#include "vm/vm_request.h"
#include "vm/worker_pool.h"

struct closer;
struct event_base;
struct registry;
struct work_queue;

struct registry_counts {
    size_t live;  /* not in a terminal state */
    size_t ended; /* listed, in a terminal state */
    size_t held;  /* that a worker has not let go of */
};

/* What a registry works with; all of it must outlive the registry. */
struct registry_setup {
    struct event_base *base;
    const struct vm_limits *limits;
    const struct worker_pool_limits *worker_limits;
    struct work_queue *work_queue;
    struct closer *closer;
    const char *state_dir;
    const char *worker_binary; /* vmmd-worker */
};

/*
 * Takes the state directory (made if it is not there, mode 0700), reads what earlier daemons left
 * in it, and takes up what their workers run. Errors: -EBUSY (another daemon has it), -EIO (what
 * the file system said), -ENOENT (no vmmd-worker).
 */
int registry_new(const struct registry_setup *setup, struct registry **ret, struct error *err);

/* Live VMs go on, with their workers. Accepts NULL. */
void registry_free(struct registry *registry);

/*
 * Makes a VM of a request and has a worker start it; state VM_STARTING. Takes what is in the
 * request. supplier: of the files that the client sent. *ret is the registry's.
 * Errors: -EINVAL (name, image path), -EEXIST (name), -EDQUOT (a limit), -EIO (state directory),
 * -EAGAIN (no worker is to be had), -ENOMEM, -ESHUTDOWN.
 */
int registry_start_vm(struct registry *registry, struct vm_request *request,
                      const struct vm_peer *owner, const struct vm_supplier *supplier,
                      struct vm **ret, struct error *err);

/* Whether the text is an id, in digits. */
bool registry_is_id(const char *text);

/* By id, or NULL. */
struct vm *registry_find_id(const struct registry *registry, uint64_t id);

/* By id in digits, or by name: the live VM of that name, else the latest ended one. Or NULL. */
struct vm *registry_find(const struct registry *registry, const char *text);

/* The live VM of that name, or NULL. */
struct vm *registry_find_live(const struct registry *registry, const char *name);

/* Forgets an ended VM and deletes its file. Errors: -EBUSY (it has not ended). */
int registry_remove(struct registry *registry, struct vm *vm, struct error *err);

/* Refuses to start more from now on, and, unless VMs are to go on, stops all of them. */
void registry_shut_down(struct registry *registry, bool keep);

/* All listed VMs, oldest first: see vm_of_link(). */
const struct list *registry_vms(const struct registry *registry);

struct registry_counts registry_counts(const struct registry *registry);
const char *registry_state_dir(const struct registry *registry);
const struct worker_pool *registry_workers(const struct registry *registry);
struct worker_pool *registry_receivers(struct registry *registry);

/* Told of the state of all VMs: VM_NOTICE_STATE. */
void registry_observe(struct registry *registry, struct vm_observer *observer);

/* Called with the counts after each change of them; one place. */
void registry_on_counts(struct registry *registry, void (*fn)(void *context), void *context);

/* The settings changed: retires what is now too many, tells the workers. */
void registry_settings_changed(struct registry *registry);

/* A page that was mapped at that address is gone: a VM's file was cut short. */
void registry_handle_cut_file(struct registry *registry, uintptr_t address);

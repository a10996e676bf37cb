/*
 * Registry, for those who make it up: registry.c, which keeps the index; launch.c, which starts
 * VMs; take_up.c, which reads back what earlier daemons left.
 */
#pragma once

#include "vm/ledger.h"
#include "vm/registry.h"
#include "vm/state_dir.h"
#include "vm/vm_private.h"

struct registry {
    struct registry_setup setup;
    struct worker_pool *pool;
    struct state_dir directory;
    struct ledger *ledger;
    struct vm_owner vm_owner;
    bool shutting_down;

    struct list vms;       /* all listed, by id */
    struct list ended;     /* those in a terminal state, oldest end first */
    void *by_id;           /* tsearch(3) tree of all listed */
    void *by_name;         /* of the live ones */
    struct list observers; /* of all VMs */
    struct registry_counts counts;
    void (*on_counts)(void *context);
    void *on_counts_context;
};

/* registry.c: the index. Whether there was memory for it. */
bool registry_list(struct registry *registry, struct vm *vm);
void registry_unlist(struct registry *registry, struct vm *vm);

/* Listed, it is live, with a name of its own; likewise. It counts as held by its worker. */
bool registry_list_live(struct registry *registry, struct vm *vm);
void registry_unlist_live(struct registry *registry, struct vm *vm);

/* Listed, it has ended, whether or not it was live before. */
void registry_list_ended(struct registry *registry, struct vm *vm);

/* Forgets ended ones, the oldest first, until no more are left than count. */
void registry_retire(struct registry *registry, size_t count);

void registry_counts_changed(struct registry *registry);

/* take_up.c: lists what is there of earlier daemons, and connects to their workers. Errors: -EIO,
 * -ENOMEM. */
int registry_take_up(struct registry *registry, struct error *err);

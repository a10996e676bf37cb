/*
 * Worker pool: the workers of all users, and spare ones that stand ready.
 *
 * A worker serves one user for all its life: the process is the boundary between users. A user's
 * VMs go where there is room; a user with more VMs has more workers. One that has been empty for a
 * while is let go. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"
#include "util/list.h"
#include "vm/worker.h"

struct worker_pool;

struct worker_pool_limits {
    uint64_t worker_vms; /* of one worker, 1..SLOTS_MAX */
};

/* Who is told; see struct worker_owner. */
struct worker_pool_owner {
    void (*report)(void *context, struct worker *worker, const struct link_report *report);
    void (*reported)(void *context, struct worker *worker);
    void (*refused)(void *context, struct worker *worker, const struct link_refused *refused);
    void (*stranded)(void *context, struct worker *worker, unsigned slot);
    void (*news)(void *context, struct worker *worker, unsigned slot, uint32_t news);
    void (*silent)(void *context, struct worker *worker);
    void (*lost)(void *context, struct worker *worker, const char *why);
    void *context;
};

/*
 * binary: vmmd-worker. state_fd: where `workers`, their directory, is or will
 * be. All that is given must outlive the pool. Errors: -EIO, -ENOMEM.
 */
int worker_pool_new(struct event_base *base, struct work_queue *work_queue, struct closer *closer,
                    const char *binary, int state_fd, const struct worker_pool_limits *limits,
                    const struct worker_pool_owner *owner, struct worker_pool **ret,
                    struct error *err);

/* Hangs up on all of them. Accepts NULL. */
void worker_pool_free(struct worker_pool *pool);

/* Connects to the worker of an earlier daemon, which is user uid's, and has VMs. Errors: as
 * worker_connect(). */
int worker_pool_adopt(struct worker_pool *pool, uint64_t number, uint32_t uid, struct worker **ret,
                      struct error *err);

/* As worker_describe_gone(), of one that could not be adopted; before worker_pool_begin(). */
void worker_pool_describe_gone(const struct worker_pool *pool, uint64_t number,
                               char text[static WORKER_DEATH_SIZE]);

/* The one of that number; NULL: there is none. */
struct worker *worker_pool_find(const struct worker_pool *pool, uint64_t number);

/* Lets go of those that earlier daemons left and nobody adopted; starts the first spare one. */
void worker_pool_begin(struct worker_pool *pool);

/* A worker of the user's that has room, and a free slot of it. Errors: -EAGAIN. */
int worker_pool_place(struct worker_pool *pool, uint32_t uid, struct worker **ret,
                      unsigned *ret_slot, struct error *err);

/* The VM is in the slot from now on; or, NULL, not any more. */
void worker_pool_occupy(struct worker_pool *pool, struct worker *worker, unsigned slot,
                        struct vm *vm);

/* The slot, which no VM is in, is not free before its worker says that what is there is gone. */
void worker_pool_hold(struct worker *worker, unsigned slot);

/* It is to take no more VMs. */
void worker_pool_taint(struct worker_pool *pool, struct worker *worker);

/* All there are, by `link`. */
const struct list *worker_pool_workers(const struct worker_pool *pool);

/* What the first worker that we started said of KVM; NULL: none has greeted yet. */
const struct link_worker_greeting *worker_pool_greeting(const struct worker_pool *pool);

/* Whether each worker has been sent all that it is to do: a later daemon finds that in its hands.
 */
bool worker_pool_has_sent_all(const struct worker_pool *pool);

/* Sends each worker something to deal with: one that does not is a silent one 5 s later, even if
 * nobody wants anything of it. */
void worker_pool_probe(const struct worker_pool *pool);

/* New settings; or a log level for workers, too. */
void worker_pool_settings_changed(struct worker_pool *pool);

/* What a receiver took, or is taking, of a client's socket. Whoever asked for it owes it
 * delivery_forget(). */
struct delivery;

/* It was taken; failed: it was not, and the client's socket is at nobody knows which byte. */
typedef void (*delivery_fn)(void *context, bool failed);

/*
 * Has the user's receiver take `length` bytes of a client's socket fd, with the descriptors among
 * them, which belong to lines that begin before offset `until`; calls done then. Errors: -EAGAIN
 * (the user's receivers hang, as many as one may have), -ENOMEM.
 */
int worker_pool_receive(struct worker_pool *pool, uint32_t uid, uint64_t client, int fd,
                        uint64_t length, uint64_t until, delivery_fn done, void *context,
                        struct delivery **ret, struct error *err);

/* Has its receiver send the next descriptor of the client, as a VM's source, by supply_fd. Errors:
 * -EAGAIN (the receiver is gone). */
int delivery_supply(struct delivery *delivery, uint32_t source, int supply_fd, struct error *err);

/* Has its receiver close what of it nobody asked for, and of what the client sent before. It is
 * gone after this, and after `done`: until then, nothing more of the client is to be read, or what
 * it is to be forgotten would be taken for what comes next. */
void delivery_forget(struct delivery *delivery, uint64_t until);

/* `done`, which has not been called yet, is not to be called any more. */
void delivery_ignore(struct delivery *delivery);

/* Has the user's receiver open a file below a directory, and send it likewise. Errors: -EAGAIN. */
int worker_pool_supply_path(struct worker_pool *pool, uint32_t uid, const char *directory,
                            const char *path, uint32_t source, int supply_fd, struct error *err);

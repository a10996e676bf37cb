/*
 * Worker: a process that runs VMs of one user, or receives what its clients send, as the daemon
 * sees it: the process, the link to it, and the slots of its VMs.
 *
 * The daemon starts workers, or finds those of an earlier daemon by their sockets. It believes
 * nothing that a worker says: sizes and numbers are checked here, and what is in a VM's file is
 * checked by who reads it. A worker that breaks the rules of the link is killed.
 *
 * Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/link.h"
#include "shared/slot_page.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/list.h"

struct closer;
struct event;
struct event_base;
struct vm;
struct work_queue;
struct worker;

/* Where sockets and last words of all workers are: DIRECTORY/N.sock, DIRECTORY/N.note. */
enum { WORKER_NAME_SIZE = 32 };

enum { WORKER_DEATH_SIZE = 320 }; /* a sentence, with its last words */

/* Whose workers they are, and who is told. Constant; must outlive them. */
struct worker_owner {
    struct event_base *base;
    struct work_queue *work_queue; /* starts processes */
    struct closer *closer;         /* of links that may hold what a worker should not have sent */
    const char *binary;            /* vmmd-worker */
    int directory_fd;
    void (*greeted)(void *context, struct worker *worker); /* it is there, and speaks our version */
    void (*report)(void *context, struct worker *worker, const struct link_report *report);
    void (*reported)(void *context, struct worker *worker); /* that was the last report */
    void (*refused)(void *context, struct worker *worker, const struct link_refused *refused);
    void (*stranded)(void *context, struct worker *worker, unsigned slot);
    void (*received)(void *context, struct worker *worker, const struct link_received *received);
    /* Not before all reports. */
    void (*news)(void *context, struct worker *worker, unsigned slot, uint32_t news);
    /* The name of a VM of its, for a line of its log; NULL: it has none of that id. */
    const char *(*vm_name)(void *context, const struct worker *worker, uint64_t id);
    void (*silent)(void *context, struct worker *worker); /* it does not answer, or does again */
    /* Its process is gone, or nothing ends it. why: a sentence. */
    void (*lost)(void *context, struct worker *worker, const char *why);
    /* Nothing ends its process, which hangs in the kernel. It is nobody's any more, and freed when
     * that is gone. */
    void (*hangs)(void *context, struct worker *worker);
    void *context;
};

enum worker_role {
    WORKER_SPARE,    /* nobody's yet */
    WORKER_RUNS,     /* a user's VMs */
    WORKER_RECEIVES, /* what a user's clients send */
};

/* What the daemon knows of it. The pool (vm/worker_pool.h) sets what is not of the link. */
struct worker {
    struct list link; /* among all workers */
    const struct worker_owner *owner;
    uint64_t number; /* never given twice */
    enum worker_role role;
    uint32_t uid; /* whose it is; of a spare: nobody's */
    struct vm *vms[SLOTS_MAX];
    unsigned vm_count; /* slots in use */
    uint64_t leaving;  /* bits of slots whose VM ended under an earlier daemon, and is not gone */
    bool tainted;      /* a thread of it hangs, or it speaks another version: no more VMs */
    bool hangs;        /* a thread of it does: it counts against its user */
    bool idle;         /* it has been empty for a while */
    bool adopted;      /* an earlier daemon's: it is no child of ours */
    struct list deliveries; /* of a receiver: what it was asked to take, oldest first */

    struct link_worker_greeting greeting; /* head.size 0: it has not greeted yet */
    struct slot_page *page;
    struct worker_link *io;
};

/*
 * Starts a worker: the process comes to be on the work queue's thread, messages can be sent at
 * once. number: for its files. Errors: what making sockets and files says.
 */
int worker_spawn(const struct worker_owner *owner, uint64_t number, struct worker **ret,
                 struct error *err);

/*
 * Connects to a worker that an earlier daemon started. Errors: -ECONNREFUSED, -ENOENT (it is gone),
 * or what the socket says.
 */
int worker_connect(const struct worker_owner *owner, uint64_t number, struct worker **ret,
                   struct error *err);

/* Hangs up, and frees it: a worker without VMs ends then, one with VMs goes on. Accepts NULL. */
void worker_free(struct worker *worker);

DEFINE_CLEANUP(struct worker *, worker_free);

/* Hangs up on one without VMs, which ends then. It is nobody's any more; its files are removed, and
 * it is freed, when its process is gone. */
void worker_dismiss(struct worker *worker);

/*
 * Sends a message, now or as soon as it has room for it. Descriptors are copied. Errors: -ENOBUFS
 * (too many wait already), -ENOMEM.
 */
int worker_send(struct worker *worker, const void *message, size_t size, const int *fds,
                size_t fd_count);

/* For who finds news itself: it is told as if the worker had. */
void worker_add_news(struct worker *worker, unsigned slot, uint32_t news);

/* There is input for the VM in the slot. */
void worker_call(struct worker *worker, unsigned slot);

/* Ends the process, and hears no message of it any more. `lost` follows. */
void worker_kill(struct worker *worker);

/* Asks the process to end its VMs and then itself (SIGTERM), whichever version it speaks. */
void worker_terminate(struct worker *worker);

/* Whether it has greeted: before that, nothing is known of it but that it is being started. */
bool worker_has_greeted(const struct worker *worker);

/* Whether it has, and has reported all the VMs that it has. */
bool worker_has_reported(const struct worker *worker);

/* Whether it has left a message unanswered for too long. */
bool worker_is_silent(const struct worker *worker);

/* Whether it has dealt with all that it was sent. */
bool worker_is_done(const struct worker *worker);

/* Whether there are messages that it has not been sent yet: it has not greeted, or has no room. */
bool worker_is_owed(const struct worker *worker);

/* Whether nothing more can be asked of it: its link is broken, or it is being killed. */
bool worker_is_leaving(const struct worker *worker);

/* 0: not known yet. */
pid_t worker_pid(const struct worker *worker);

/* Why one is gone that is no child of ours, as far as it has left word of that. */
void worker_describe_gone(int directory_fd, uint64_t number, char text[static WORKER_DEATH_SIZE]);

/* Removes what is left of a worker that is gone. */
void worker_remove_files(int directory_fd, uint64_t number);

/* The number in the name of a worker's socket, or 0. */
uint64_t worker_number(const char *name);

/*
 * VM, for those who make it up: vm.c, vm_input.c, vm_output.c, vm_news.c, vm_wishes.c; and for the
 * registry, which makes VMs and places them.
 */
#pragma once

#include "util/work_queue.h"
#include "vm/vm.h"

struct event;
struct event_base;
struct worker;
struct link_report;
struct link_refused;

/* Whose VM it is, and what that is told. */
struct vm_owner {
    struct event_base *base;
    int (*open_file)(void *context, struct vm *vm);     /* a descriptor of its file, or an error */
    void (*changed)(void *context, struct vm *vm);      /* its state */
    void (*ended)(void *context, struct vm *vm);        /* before that is told */
    void (*gone)(void *context, struct vm *vm);         /* no worker has it any more */
    void (*unreferenced)(void *context, struct vm *vm); /* to be freed by vm_free() */
    void *context;
};

struct vm {
    const struct vm_owner *owner; /* [const] */
    unsigned references;
    enum vm_state state;
    struct vm_record record;
    uint64_t ring_capacity;
    size_t ledger_index;
    bool reported;          /* a worker of an earlier daemon has told of it */
    bool removed;           /* no longer in the registry */
    struct list link;       /* among the registry's VMs, by id */
    struct list ended_link; /* among the ended, oldest end first */
    struct list observers;

    struct worker *worker;  /* NULL: none has it */
    unsigned slot;          /* of the worker's */
    uint64_t worker_number; /* of the worker that had it last, as the ledger says */
    int file_fd;            /* its file, until it can be read; else -1 */
    struct vm_file *file;   /* NULL: it cannot be read yet, or at all */
    bool file_is_bad;       /* it was to be readable, and was not */
    bool file_is_cut;       /* somebody cut it short */

    /* vm_wishes.c */
    bool pause_asked;  /* what its worker was asked last is a pause */
    bool pause_wanted; /* it is to be paused, in the end */
    bool kill_asked;

    /* vm_input.c */
    struct input_queue *input; /* NULL: nothing was ever sent by this daemon */
    bool input_unknown;        /* an earlier daemon may have sent some */

    /* vm_output.c */
    struct event *pace;
    unsigned output_watchers;
    uint64_t output_seen; /* what the watchers were last told of */

    bool times_wanted;
    struct work_item disposal;
};

/* A VM in state `starting`, with one reference. Errors: NULL, out of memory. */
struct vm *vm_new(const struct vm_owner *owner);

/* Frees it, and the mapping of its file: may block. Any thread; it has no events any more. */
void vm_free(struct vm *vm);

void vm_notify(struct vm *vm, unsigned notice);
void vm_set_state(struct vm *vm, enum vm_state state);

/* Sends a message to its worker, which begins with a struct link_vm: fills that in. */
void vm_send(struct vm *vm, void *message, size_t size, const int *fds, size_t fd_count);

/* vm_output.c: the ring has come to be there; news of output came; it has ended. */
void vm_output_begin(struct vm *vm);
void vm_output_tell(struct vm *vm);
void vm_output_end(struct vm *vm);

/* vm_wishes.c: kills it, as vm_stop() does, since it cannot go on. */
void vm_give_up(struct vm *vm, const char *sentence);

/* vm_wishes.c: it stands, or goes on: the wish that was uttered meanwhile comes next. */
void vm_steer(struct vm *vm);

/* vm_news.c: what its worker tells. Each may free the VM. */
void vm_handle_news(struct vm *vm, uint32_t news);
void vm_handle_report(struct vm *vm, const struct link_report *report);
void vm_handle_refused(struct vm *vm, const struct link_refused *refused);
void vm_handle_stranded(struct vm *vm);

/* Its worker is gone, with that reason. Likewise. */
void vm_handle_lost(struct vm *vm, const char *why);

/* The sentence for that; state: what it was then, output_end: in bytes. */
void vm_format_lost(char sentence[static GUEST_END_MESSAGE_SIZE], const char *state,
                    const char *why, uint64_t output_end);

/* Fills into its record an end that its worker did not tell of: when, and for how long it ran as
 * far as that is known. */
void vm_fill_end(struct vm *vm, enum guest_end_reason reason, const char *sentence);

/* Writes its record and its state into its file, for the next daemon: nobody else does any more. */
void vm_write_end(struct vm *vm);

/* Reads its file and what that tells, if it can be read. Errors: negative errno. */
int vm_read_file(struct vm *vm, struct error *err);

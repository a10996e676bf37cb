/*
 * Guest: one VM as its worker has it, from the message that starts it to the last of its thread.
 *
 * The control thread makes it, hands it to a thread of its own (worker/guest_thread.c) and asks by
 * requests. The thread makes the machine, runs it, writes what is to be known into the VM's file
 * and tells news by the slot page. Once `gone`, the control thread frees it.
 *
 * Fields are tagged by who may touch them: [control] the control thread, [thread] the guest's own
 * thread and, with the machine's lock held, those of its further vCPUs.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kvm/kvm_host.h"
#include "kvm/vcpu_kick.h"
#include "shared/input_queue.h"
#include "shared/link.h"
#include "shared/slot_page.h"
#include "shared/vm_file.h"
#include "util/error.h"
#include "worker/request.h"

struct guest;

/* What all guests of a worker share. Constant while there are guests; what the descriptors and the
 * address lead to may be exchanged, for another daemon's. */
struct guest_home {
    const struct kvm_host *host;
    struct slot_page *page;
    int bell_fd; /* rings for the daemon */
    int wake_fd; /* an eventfd: wakes the control thread */
    /* The last of a guest's thread: the guest may be freed at any moment. refused: why it could not
     * even have a file; NULL: it had one. */
    void (*gone)(void *context, struct guest *guest, const struct link_refused *refused);
    void *context;
};

struct guest {
    const struct guest_home *home; /* [const] */
    unsigned slot;                 /* [const] */
    uint64_t id;                   /* [const] of the VM */
    char name[VM_NAME_MAX + 8];    /* [const] likewise */
    struct vm_peer owner;          /* [const] likewise */
    int64_t created_ns;            /* [const] likewise */
    struct definition definition;  /* [const] */
    struct definition_texts texts; /* [const] into texts_block */
    char *texts_block;             /* [const] owned */
    int file_fd;                   /* [thread] */
    int supply_fd;                 /* [thread] by which its files come */

    struct vcpu_kick *kicks; /* [const] definition.cpus of them */
    struct request_queue requests;
    _Atomic unsigned end;            /* [thread] not 0: it is to end */
    _Atomic unsigned pause;          /* [thread] odd: it is to stand still */
    _Atomic bool waits_in_kvm;       /* [thread] it is KVM that waits when its vCPUs do */
    struct request_end asked_to_end; /* [thread] once `end` is set */

    pthread_mutex_t lock;    /* held for a moment, never with another */
    enum link_phase phase;   /* [lock] */
    bool disowned;           /* [lock] its ending was written for it: see guest_disown_if_due() */
    int64_t started_mono_ns; /* [lock] 0: it has not run yet */
    uint64_t stood_ns;       /* [lock] how long it was, before */
    struct vm_file *file;    /* [thread] NULL: not yet, or it cannot be made; [lock] to set it */

    pthread_mutex_t input_lock; /* held for a copy */
    struct input_queue *input;  /* [input_lock] NULL: nothing was ever sent */

    _Atomic bool gone; /* its thread holds nothing any more, and is not here */

    int64_t asked_mono_ns;     /* [control] when its vCPUs were last asked whether they sleep */
    int64_t disown_mono_ns;    /* [control] when it is disowned, if it has not ended; 0: never */
    struct request_end killed; /* [control] with disown_mono_ns: what its record is to say then */
    bool timed_out;            /* [control] its timeout has come */
    bool asks_again;           /* [control] there was no memory for `unasked` */
    struct request unasked;    /* [control] with asks_again: asked at the next tick */
};

/*
 * A guest of what a start asks for. Takes the message's descriptors: the VM's file, the supply.
 * Control thread. Errors: -EBADMSG (the message makes no sense), -ENOMEM.
 */
int guest_new(const struct guest_home *home, struct link_message *message, struct guest **ret);

/* The record of its VM, as it is when that is started. Any thread. */
void guest_describe(const struct guest *guest, struct vm_record *ret);

/* Accepts NULL. Its thread is gone, or has never begun. Control thread. */
void guest_free(struct guest *guest);

/* What its thread does, from making to GONE (guest_thread.c). */
void guest_thread_run(struct guest *guest);

/* Asks its threads; later, where there is no memory for that now. Control thread. */
void guest_ask(struct guest *guest, const struct request *request);

/* It is to end, as REQUEST_END asked. The guest's thread, or another of its own that holds the
 * machine's lock. */
void guest_note_end(struct guest *guest, const struct request_end *end);

/* Where it is in its life. Any thread. */
enum link_phase guest_phase(struct guest *guest);

/* Takes over the input queue of a daemon, with what waits in the one before. Control thread. */
void guest_take_input_queue(struct guest *guest, struct input_queue *queue);

/* Whether its file is mapped at an address. Any thread. */
bool guest_has_file_at(struct guest *guest, uintptr_t address);

/* Whether there is an input queue. Control thread. */
bool guest_has_input_queue(struct guest *guest);

/* Measures the CPU time of its vCPUs' threads, and tells. Control thread. */
void guest_tell_times(struct guest *guest);

/*
 * What is to be done now and then, where the guest itself makes no exit: output that it left
 * somewhere, requests that did not come through, whether it sleeps for ever, its timeout. Control
 * thread. *next_ns: made less, if it is to be looked at before that time.
 */
void guest_tick(struct guest *guest, int64_t now_ns, int64_t *next_ns);

/*
 * Where it was killed, and its thread hangs in a file that somebody else serves, it ends all the
 * same: writes its ending in place of the thread, which will find out when it comes back. Returns
 * whether that was done now: it is to be told. Control thread.
 */
bool guest_disown_if_due(struct guest *guest, int64_t now_ns);

/* Whether that was done. Any thread. */
bool guest_is_disowned(struct guest *guest);

/* For its thread: adds news of its slot. */
void guest_tell(struct guest *guest, uint32_t news);

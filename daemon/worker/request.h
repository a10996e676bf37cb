/*
 * Request: what a guest's threads are to do, as the control thread asks.
 *
 * There is one queue for each VM. A request is put into it, and the vCPUs are kicked. Whichever of
 * them comes out first carries it out, with the machine's lock held: between two exits, or where it
 * stands still, whatever it waits in (KVM_RUN, HLT, HC_GETCHAR, the brake, a pause, the start). Its
 * answer is news of the VM's slot (shared/slot_page.h).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "shared/guest_end.h"
#include "shared/vm_record.h"

enum request_kind {
    REQUEST_END,    /* answer: SLOT_ENDED */
    REQUEST_PAUSE,  /* answer: SLOT_STANDS */
    REQUEST_RESUME, /* answer: SLOT_GOES_ON */
    REQUEST_INPUT,  /* there is input, or has come to its end; no answer */
};

/* With REQUEST_END: what the record is to say of it. */
struct request_end {
    enum guest_end_reason reason;
    struct vm_peer by;
    char sentence[GUEST_END_MESSAGE_SIZE];
};

struct request {
    enum request_kind kind;
    struct request_end end;
    struct request *next; /* the queue's */
};

struct request_queue {
    pthread_mutex_t lock;
    struct request *first; /* [lock] */
    struct request **last; /* [lock] where the next is hooked in */
};

void request_queue_init(struct request_queue *queue);

/* Forgets what is in it. */
void request_queue_deinit(struct request_queue *queue);

/* Puts a copy of a request into the queue. A REQUEST_INPUT that waits already is enough. Control
 * thread. Errors: -ENOMEM. */
int request_queue_put(struct request_queue *queue, const struct request *request);

/* Takes the first; NULL: there is none. Freed by free(3). The guest's threads. */
struct request *request_queue_take(struct request_queue *queue);

/* Whether there is one. Any thread. */
bool request_queue_has_any(struct request_queue *queue);

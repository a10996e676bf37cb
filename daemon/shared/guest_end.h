/*
 * Guest end: how a VM's run came to its end, and what is known of it.
 */
#pragma once

#include <stdint.h>

#include "shared/register_dump.h"

enum guest_end_reason {
    GUEST_END_NONE, /* it has not ended */
    GUEST_END_HALTED,
    GUEST_END_GUEST_EXIT,
    GUEST_END_STOPPED,
    GUEST_END_KILLED,
    GUEST_END_TIMEOUT,
    GUEST_END_SHUTDOWN,
    GUEST_END_ERROR,
    GUEST_END_DAEMON_LOST,
    GUEST_END_WORKER_LOST,
};

enum { GUEST_END_COUNT = GUEST_END_WORKER_LOST + 1 };

enum { GUEST_END_MESSAGE_SIZE = 384 };

struct guest_end {
    enum guest_end_reason reason;
    int code;                             /* the guest's own, with GUEST_END_GUEST_EXIT */
    char message[GUEST_END_MESSAGE_SIZE]; /* a sentence for people */
    struct register_dump registers;       /* where it failed, with SHUTDOWN and ERROR */
};

/* The first end counts: does nothing where end->reason is set already. */
void guest_end_set(struct guest_end *end, enum guest_end_reason reason, int code,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The word of the wire: "guest-exit". "none" for GUEST_END_NONE. Any thread. */
const char *guest_end_reason_to_string(enum guest_end_reason reason);

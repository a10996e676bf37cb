/*
 * VM state: the life cycle of a VM.
 *
 *     starting -> running <-> paused -> stopping -> exited | failed | lost
 */
#pragma once

#include <stdbool.h>

/* Numbers are kept in state files: they only ever grow. */
enum vm_state {
    VM_STARTING,
    VM_RUNNING,
    VM_PAUSED,
    VM_STOPPING, /* asked to end, has not yet */
    VM_EXITED,   /* the guest ended, or was ended */
    VM_FAILED,   /* it could not start, or could not go on */
    VM_LOST,     /* the daemon died under it */
};

enum { VM_STATE_COUNT = VM_LOST + 1 };

/* The word of the wire: "starting". */
const char *vm_state_to_string(enum vm_state state);

/* Exited, failed or lost: nothing changes any more. */
bool vm_state_is_terminal(enum vm_state state);

/* Whether the life cycle has an arrow from one state to the other. */
bool vm_state_may_become(enum vm_state from, enum vm_state to);

#include "shared/vm_state.h"

#include <assert.h>

#define TO(state)   (1u << (state))
#define TO_TERMINAL (TO(VM_EXITED) | TO(VM_FAILED) | TO(VM_LOST))

static const struct state_row {
    const char *name;
    unsigned next; /* the states it may become */
} states[] = {
    [VM_STARTING] = { "starting", TO(VM_RUNNING) | TO(VM_STOPPING) | TO_TERMINAL },
    [VM_RUNNING] = { "running", TO(VM_PAUSED) | TO(VM_STOPPING) | TO_TERMINAL },
    [VM_PAUSED] = { "paused", TO(VM_RUNNING) | TO(VM_STOPPING) | TO_TERMINAL },
    [VM_STOPPING] = { "stopping", TO_TERMINAL },
    [VM_EXITED] = { "exited", 0 },
    [VM_FAILED] = { "failed", 0 },
    [VM_LOST] = { "lost", 0 },
};

static_assert(sizeof(states) / sizeof(states[0]) == VM_STATE_COUNT, "a row for each state");

const char *vm_state_to_string(enum vm_state state)
{
    return states[state].name;
}

bool vm_state_is_terminal(enum vm_state state)
{
    return states[state].next == 0;
}

bool vm_state_may_become(enum vm_state from, enum vm_state to)
{
    return states[from].next & TO(to);
}

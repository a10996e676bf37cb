/*
 * Failing memory: an allocation of this thread fails when a test says so, of shared libraries too.
 *
 * Linked into a test program, failing_memory.c takes the place of malloc(3) and its relatives. The
 * sanitizers have their own, so that there is nothing to link it into there.
 */
#pragma once

#include <stdbool.h>

enum failing_memory {
    FAILING_ONCE,      /* one allocation fails, the next ones succeed */
    FAILING_FROM_THEN, /* and so do all after it */
};

/* The next `count` allocations succeed; then it fails. */
void failing_memory_start(unsigned count, enum failing_memory kind);

/* All succeed again. Returns whether any has failed. */
bool failing_memory_stop(void);

/* Allocations that this thread has not freed again. */
long failing_memory_held(void);

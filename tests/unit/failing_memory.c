#include "failing_memory.h"

#include <errno.h>
#include <stddef.h>

/* glibc's own, under the names by which whoever replaces them reaches them */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *pointer);
/* NOLINTEND(bugprone-reserved-identifier) */

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);
void free(void *pointer);

static _Thread_local struct {
    bool active;
    bool failed;
    enum failing_memory kind;
    unsigned left;
} state;

static _Thread_local long held;

void failing_memory_start(unsigned count, enum failing_memory kind)
{
    state.kind = kind;
    state.left = count;
    state.failed = false;
    state.active = true;
}

bool failing_memory_stop(void)
{
    state.active = false;
    return state.failed;
}

long failing_memory_held(void)
{
    return held;
}

static bool is_to_fail(void)
{
    if (!state.active)
        return false;
    if (state.left > 0) {
        state.left--;
        return false;
    }
    if (state.kind == FAILING_ONCE)
        state.active = false;
    state.failed = true;
    errno = ENOMEM;
    return true;
}

static void *count(void *allocated)
{
    if (allocated)
        held++;
    return allocated;
}

void *malloc(size_t size)
{
    return is_to_fail() ? NULL : count(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    return is_to_fail() ? NULL : count(__libc_calloc(number, size));
}

void *realloc(void *old, size_t size)
{
    if (!old)
        return malloc(size);
    return is_to_fail() ? NULL : __libc_realloc(old, size);
}

void free(void *pointer)
{
    if (pointer)
        held--;
    __libc_free(pointer);
}

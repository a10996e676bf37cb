#include "failing_memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/* glibc's own, under the names by which whoever replaces them reaches them */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *pointer);

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

static atomic_long held;

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
    return atomic_load(&held);
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
        atomic_fetch_add(&held, 1);
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
        atomic_fetch_sub(&held, 1);
    __libc_free(pointer);
}

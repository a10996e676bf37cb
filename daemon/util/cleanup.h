/*
 * Cleanup: what a scope owns is released when the scope ends, in reverse order.
 *
 *     _cleanup_close_ int fd = -1;
 *     _cleanup_(output_ring_freep) struct output_ring *ring = NULL;
 *
 * TAKE_PTR and TAKE_FD hand a thing over: they return it and leave NULL or -1 behind.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Defines fn ## p, for _cleanup_(), of a function that releases a pointer and accepts NULL. */
#define DEFINE_CLEANUP(type, fn)                                                                   \
    static inline void fn##p(type *pointer)                                                        \
    {                                                                                              \
        fn(*pointer);                                                                              \
    }                                                                                              \
    struct fn##_needs_a_semicolon

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define _cleanup_free_  _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

#define TAKE_PTR(pointer)                                                                          \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

static inline int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

#define TAKE_FD(fd) take_fd(&(fd))

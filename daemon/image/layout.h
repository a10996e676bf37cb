/*
 * Layout: what a loader puts where in the guest's memory. Everything is entered here before it is
 * copied, so nothing can lie outside of memory, nor over anything else.
 *
 * All functions: the VM's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/guest_memory.h"
#include "util/error.h"

/* Enough for the segments of a file, for modules, and for what loaders add. */
enum { LAYOUT_RANGES_MAX = 128, LAYOUT_RESERVED_MAX = 2 };

struct layout_range {
    gpa_t start;
    uint64_t size;
    char what[24]; /* "segment 3" */
};

struct layout {
    const struct guest_memory *memory;
    const char *name; /* the file's, for sentences */
    struct layout_range ranges[LAYOUT_RANGES_MAX];
    size_t count;
    struct layout_range reserved[LAYOUT_RESERVED_MAX]; /* by the architecture */
    size_t reserved_count;
};

/* Where something may be placed: within [from, limit), at a multiple of align (a power of two). */
struct layout_room {
    gpa_t from;
    gpa_t limit;
    uint64_t align;
};

void layout_init(struct layout *layout, const struct guest_memory *memory, const char *name);

/* Enters a range that is where the file says. Errors: -ENOEXEC (wraps, outside memory, lies over
 * another, too many of them). */
int layout_add(struct layout *layout, gpa_t start, uint64_t size, struct error *err,
               const char *what, ...) __attribute__((format(printf, 5, 6)));

/* Enters a range at the lowest or at the highest free address of the room, in RAM that the
 * architecture has not reserved. Errors: -ENOEXEC (no room). */
int layout_place_low(struct layout *layout, const struct layout_room *room, uint64_t size,
                     const char *what, gpa_t *ret, struct error *err);
int layout_place_high(struct layout *layout, const struct layout_room *room, uint64_t size,
                      const char *what, gpa_t *ret, struct error *err);

/* The first address after everything that was entered so far; 0: nothing was. */
gpa_t layout_end(const struct layout *layout);

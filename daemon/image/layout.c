#include "image/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "image/arch.h"

void layout_init(struct layout *layout, const struct guest_memory *memory, const char *name)
{
    layout->memory = memory;
    layout->name = name;
    layout->count = 0;
    layout->reserved_count = arch_reserve(memory, layout->reserved);
}

/* Neither range may wrap. */
static bool overlap(const struct layout_range *range, gpa_t start, uint64_t size)
{
    return range->start < start + size && start < range->start + range->size;
}

static const struct layout_range *find_overlap(const struct layout *layout, gpa_t start,
                                               uint64_t size)
{
    for (size_t i = 0; i < layout->count; i++)
        if (overlap(&layout->ranges[i], start, size))
            return &layout->ranges[i];
    return NULL;
}

static int enter(struct layout *layout, const struct layout_range *range, struct error *err)
{
    if (layout->count == LAYOUT_RANGES_MAX)
        return error_set(err, -ENOEXEC, "'%s' has too many parts: more than %d", layout->name,
                         LAYOUT_RANGES_MAX);
    layout->ranges[layout->count++] = *range;
    return 0;
}

static int refuse_outside(const struct layout *layout, const struct layout_range *range,
                          struct error *err)
{
    const struct guest_memory *memory = layout->memory;
    gpa_t end = range->start + range->size;

    error_set(err, -ENOEXEC,
              "'%s': %s, %" PRIu64 " bytes at 0x%" PRIx64
              ", does not fit the guest's memory of %" PRIu64 " bytes",
              layout->name, range->what, range->size, range->start, memory->size);
    if (end > range->start && range->start >= memory->base && memory->base == 0 &&
        end <= GUEST_HOLE_START) {
        size_t used = strlen(err->text);

        snprintf(err->text + used, sizeof(err->text) - used, "; it needs %" PRIu64 " or more", end);
    }
    return -ENOEXEC;
}

int layout_add(struct layout *layout, gpa_t start, uint64_t size, struct error *err,
               const char *what, ...)
{
    struct layout_range range = { .start = start, .size = size };
    const struct layout_range *other;
    va_list args;

    va_start(args, what);
    vsnprintf(range.what, sizeof(range.what), what, args);
    va_end(args);
    if (!guest_memory_holds(layout->memory, start, size))
        return refuse_outside(layout, &range, err);
    other = find_overlap(layout, start, size);
    if (other)
        return error_set(err, -ENOEXEC,
                         "'%s': %s, %" PRIu64 " bytes at 0x%" PRIx64 ", lies over %s, %" PRIu64
                         " bytes at 0x%" PRIx64,
                         layout->name, range.what, size, start, other->what, other->size,
                         other->start);
    return enter(layout, &range, err);
}

/* What keeps [start, start + size) from being free. */
static const struct layout_range *find_obstacle(const struct layout *layout, gpa_t start,
                                                uint64_t size)
{
    for (size_t i = 0; i < layout->reserved_count; i++)
        if (overlap(&layout->reserved[i], start, size))
            return &layout->reserved[i];
    return find_overlap(layout, start, size);
}

/* Rounding down is `value & -align`: all alignments are powers of two. */
static bool align_up(uint64_t align, gpa_t *value)
{
    gpa_t up = (*value + (align - 1)) & -align;

    if (up < *value)
        return false;
    *value = up;
    return true;
}

/* The lowest free address in [from, end), which is RAM. */
static bool find_low(const struct layout *layout, gpa_t from, gpa_t end, uint64_t align,
                     uint64_t size, gpa_t *ret)
{
    const struct layout_range *obstacle;
    gpa_t at = from;

    for (;;) {
        if (!align_up(align, &at) || at > end || size > end - at)
            return false;
        obstacle = find_obstacle(layout, at, size);
        if (!obstacle)
            break;
        at = obstacle->start + obstacle->size;
    }
    *ret = at;
    return true;
}

static bool find_high(const struct layout *layout, gpa_t from, gpa_t end, uint64_t align,
                      uint64_t size, gpa_t *ret)
{
    const struct layout_range *obstacle;
    gpa_t at;

    for (;;) {
        if (size > end)
            return false;
        at = (end - size) & -align;
        if (at < from)
            return false;
        obstacle = find_obstacle(layout, at, size);
        if (!obstacle)
            break;
        end = obstacle->start;
    }
    *ret = at;
    return true;
}

typedef bool (*find_fn)(const struct layout *layout, gpa_t from, gpa_t end, uint64_t align,
                        uint64_t size, gpa_t *ret);

/* The region's part of the room, if any. */
static bool clip(const struct guest_region *region, const struct layout_room *room, gpa_t *ret_from,
                 gpa_t *ret_end)
{
    gpa_t end = region->base + region->size;

    if (region->readonly)
        return false;
    *ret_from = room->from > region->base ? room->from : region->base;
    *ret_end = room->limit < end ? room->limit : end;
    return *ret_from < *ret_end;
}

static bool find(const struct layout *layout, const struct layout_room *room, uint64_t size,
                 bool high, gpa_t *ret)
{
    const struct guest_memory *memory = layout->memory;
    const find_fn search = high ? find_high : find_low;

    /* RAM's regions are in ascending order */
    for (size_t i = 0; i < memory->region_count; i++) {
        size_t index = high ? memory->region_count - 1 - i : i;
        gpa_t from, end;

        if (clip(&memory->regions[index], room, &from, &end) &&
            search(layout, from, end, room->align, size, ret))
            return true;
    }
    return false;
}

static int place(struct layout *layout, const struct layout_room *room, uint64_t size,
                 const char *what, bool high, gpa_t *ret, struct error *err)
{
    struct layout_range range = { .size = size };
    int r;

    snprintf(range.what, sizeof(range.what), "%s", what);
    if (!find(layout, room, size, high, &range.start))
        return error_set(
            err, -ENOEXEC,
            "'%s': the guest's memory of %" PRIu64 " bytes has no room for %s, %" PRIu64
            " bytes from 0x%" PRIx64 " to 0x%" PRIx64 "; give it more memory",
            layout->name, layout->memory->size, what, size, room->from, room->limit - 1);
    r = enter(layout, &range, err);
    if (r == 0)
        *ret = range.start;
    return r;
}

int layout_place_low(struct layout *layout, const struct layout_room *room, uint64_t size,
                     const char *what, gpa_t *ret, struct error *err)
{
    return place(layout, room, size, what, false, ret, err);
}

int layout_place_high(struct layout *layout, const struct layout_room *room, uint64_t size,
                      const char *what, gpa_t *ret, struct error *err)
{
    return place(layout, room, size, what, true, ret, err);
}

gpa_t layout_end(const struct layout *layout)
{
    gpa_t end = 0;

    for (size_t i = 0; i < layout->count; i++)
        if (layout->ranges[i].start + layout->ranges[i].size > end)
            end = layout->ranges[i].start + layout->ranges[i].size;
    return end;
}

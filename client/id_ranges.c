#include "id_ranges.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

enum { ID_SIZE = 22 }; /* the longest id and what stands before it */

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

/* One more than the index of the last of those that follow on ids[first] without a gap. */
static size_t end_of_range(const int64_t *ids, size_t count, size_t first)
{
    size_t end = first + 1;

    /* what a daemon says may be any number: the difference of two of them need not be one */
    while (end < count && (uint64_t)ids[end] - (uint64_t)ids[end - 1] <= 1)
        end++;
    return end;
}

static void print_ranges(const int64_t *ids, size_t count, char *text)
{
    for (size_t i = 0, end; i < count; i = end) {
        end = end_of_range(ids, count, i);
        text += sprintf(text, "%s%" PRId64, i > 0 ? ", " : "", ids[i]);
        if (ids[end - 1] > ids[i])
            text += sprintf(text, "-%" PRId64, ids[end - 1]);
    }
}

char *id_ranges_new(struct json_object *ids)
{
    bool is_array = json_object_is_type(ids, json_type_array);
    size_t count = is_array ? json_object_array_length(ids) : 0;
    _cleanup_free_ int64_t *sorted = calloc(count + 1, sizeof(*sorted));
    _cleanup_free_ char *text = malloc(count * ID_SIZE + 1);

    if (!sorted || !text)
        return NULL;
    if (count == 0)
        return strdup("-");
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_object_get_int64(json_object_array_get_idx(ids, i));
    qsort(sorted, count, sizeof(*sorted), compare_ids);
    print_ranges(sorted, count, text);
    return TAKE_PTR(text);
}

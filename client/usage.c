#include "usage.h"

#include <errno.h>
#include <stdlib.h>

#include "field.h"
#include "util/clock.h"

int usage_list_init(struct usage_list *list, struct json_object *records)
{
    size_t count =
        json_object_is_type(records, json_type_array) ? json_object_array_length(records) : 0;
    struct usage *rows = calloc(count + 1, sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct json_object *record = json_object_array_get_idx(records, i);

        rows[i].record = json_object_get(record);
        rows[i].vm = field_integer(record, "id");
    }
    *list = (struct usage_list){ .rows = rows, .count = count };
    return 0;
}

void usage_list_deinit(struct usage_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        json_object_put(list->rows[i].record);
    free(list->rows);
    *list = (struct usage_list){ 0 };
}

void usage_add_stats(struct usage *usage, struct json_object *stats)
{
    usage->taken_ns = clock_monotonic_ns();
    usage->cpu_ns = field_get(stats, "time.cpu_ns") ? field_integer(stats, "time.cpu_ns") : -1;
    usage->exits = field_integer(stats, "exits.total");
    usage->output = field_integer(usage->record, "output.next");
}

static int compare_ids(const void *a, const void *b)
{
    const struct usage *left = a, *right = b;

    return (left->vm > right->vm) - (left->vm < right->vm);
}

static void compare(struct usage *now, const struct usage *before)
{
    double ns = (double)(now->taken_ns - before->taken_ns);

    now->cpu_percent = -1;
    if (ns <= 0)
        return;
    if (now->cpu_ns >= 0 && before->cpu_ns >= 0)
        now->cpu_percent = 100 * (double)(now->cpu_ns - before->cpu_ns) / ns;
    now->exits_per_s = (double)(now->exits - before->exits) * CLOCK_NS_PER_SEC / ns;
    now->output_per_s = (double)(now->output - before->output) * CLOCK_NS_PER_SEC / ns;
}

void usage_list_compare(struct usage_list *now, const struct usage_list *before)
{
    for (size_t i = 0; i < now->count; i++) {
        struct usage *usage = &now->rows[i];
        const struct usage start = {
            .taken_ns = usage->taken_ns - field_integer(usage->record, "uptime_ns"),
        };
        const struct usage *last = before->count > 0 ? bsearch(usage, before->rows, before->count,
                                                               sizeof(*usage), compare_ids)
                                                     : NULL;

        compare(usage, last ? last : &start);
    }
}

static int compare_load(const void *a, const void *b)
{
    const struct usage *left = *(const struct usage *const *)a,
                       *right = *(const struct usage *const *)b;

    if (left->cpu_percent > right->cpu_percent)
        return -1;
    return left->cpu_percent < right->cpu_percent ? 1 : compare_ids(left, right);
}

const struct usage **usage_list_busiest(const struct usage_list *list)
{
    const struct usage **rows = calloc(list->count + 1, sizeof(struct usage *));

    if (!rows)
        return NULL;
    for (size_t i = 0; i < list->count; i++)
        rows[i] = &list->rows[i];
    qsort(rows, list->count, sizeof(struct usage *), compare_load);
    return rows;
}

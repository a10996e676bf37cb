/*
 * Usage: what VMs do in the time between two looks at them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

struct usage {
    struct json_object *record; /* openrpc.json, "Record"; its owner is this */
    int64_t vm;
    int64_t taken_ns; /* when this was seen, on the monotonic clock */
    int64_t cpu_ns;   /* counters, ever since the VM started; -1: not known */
    int64_t exits;
    int64_t output;
    double cpu_percent; /* of one CPU, since the look before; less than 0: not known */
    double exits_per_s;
    double output_per_s; /* bytes */
};

struct usage_list {
    struct usage *rows; /* by ascending id */
    size_t count;
};

/* Of an array of records, by ascending id. Errors: -ENOMEM. */
int usage_list_init(struct usage_list *list, struct json_object *records);
void usage_list_deinit(struct usage_list *list);

/* Adds what vm.stats answered about one of the VMs. */
void usage_add_stats(struct usage *usage, struct json_object *stats);

/* Rates since the look before; of a VM that is new, since its start. */
void usage_list_compare(struct usage_list *now, const struct usage_list *before);

/* The rows, busiest first, in an array of list->count that the caller frees; NULL: out of memory.
 */
const struct usage **usage_list_busiest(const struct usage_list *list);

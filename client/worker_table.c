#include "worker_table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "field.h"
#include "id_ranges.h"
#include "table.h"
#include "user_name.h"

static const struct table_column columns[] = {
    { "PID", TABLE_NUMBER, TABLE_RANK_ALWAYS },
    { "OWNER", TABLE_TEXT, TABLE_RANK_ALWAYS },
    { "ROLE", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "VMS", TABLE_NUMBER, TABLE_RANK_ALWAYS },
    { "IDS", TABLE_TEXT, 3 },
    { "VERSION", TABLE_WORD, 1 },
    { "ANSWERS", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "MORE", TABLE_WORD, 2 },
};

static void number_cell(struct table *table, int64_t number)
{
    if (number > 0)
        table_cell(table, "%" PRId64, number);
    else
        table_cell(table, "-"); /* it is just being started */
}

static void text_cell(struct table *table, const char *text)
{
    table_cell(table, "%s", *text ? text : "-");
}

static void answer_cell(struct table *table, bool answer)
{
    table_cell(table, "%s", answer ? "yes" : "no");
}

static void print_row(struct table *table, struct json_object *worker, struct user_name *owner)
{
    _cleanup_free_ char *ids = id_ranges_new(field_get(worker, "vms"));
    bool is_owned = field_get(worker, "uid"); /* a spare one is nobody's */
    const char *role = field_text(worker, "role");

    table_row(table);
    number_cell(table, field_integer(worker, "pid"));
    text_cell(table, is_owned ? user_name_find(owner, field_integer(worker, "uid")) : "");
    text_cell(table, role);
    table_cell(table, "%zu", field_count(worker, "vms"));
    text_cell(table, ids ? ids : "");
    text_cell(table, field_text(worker, "version"));
    answer_cell(table, field_boolean(worker, "answers"));
    if (strcmp(role, "receives") == 0)
        text_cell(table, ""); /* it never had any */
    else
        answer_cell(table, field_boolean(worker, "takes_more"));
}

void worker_table_print(struct json_object *workers)
{
    _cleanup_(table_freep) struct table *table =
        table_new(columns, sizeof(columns) / sizeof(columns[0]));
    struct user_name owner = USER_NAME_NONE;
    size_t count =
        json_object_is_type(workers, json_type_array) ? json_object_array_length(workers) : 0;

    for (size_t i = 0; i < count; i++)
        print_row(table, json_object_array_get_idx(workers, i), &owner);
    table_print(table);
}

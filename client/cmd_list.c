/* list: all VMs at a glance. */
#include <inttypes.h>

#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "report.h"
#include "table.h"
#include "units.h"
#include "user_name.h"
#include "vm_record.h"

static const struct option_row list_options[] = {
    { OPTION_ON, "all", 'a', NULL, "all", "ended VMs too" },
    { 0 },
};

/* Left out first in a narrow terminal: the lowest rank. */
static const struct table_column columns[] = {
    { "ID", TABLE_NUMBER, TABLE_RANK_ALWAYS },
    { "NAME", TABLE_TEXT, TABLE_RANK_ALWAYS },
    { "STATE", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "EXIT", TABLE_WORD, 6 },
    { "IMAGE", TABLE_TEXT, 5 },
    { "OWNER", TABLE_TEXT, 3 },
    { "MEMORY", TABLE_NUMBER, 1 },
    { "AGE", TABLE_NUMBER, 4 },
    { "UPTIME", TABLE_NUMBER, 2 },
    { "OUTPUT", TABLE_NUMBER, 4 },
    { "EXITS", TABLE_NUMBER, 2 },
};

static void print_row(struct table *table, struct json_object *record, struct user_name *owner)
{
    struct json_object *exit = field_get(record, "exit");
    char text[VM_RECORD_TEXT_SIZE], units[UNITS_TEXT_SIZE];

    table_row(table);
    table_cell(table, "%" PRId64, field_integer(record, "id"));
    table_cell(table, "%s", field_text(record, "name"));
    table_cell(table, "%s", field_text(record, "state"));
    table_cell(table, "%s", exit ? vm_record_format_exit(exit, text) : "-");
    table_cell(table, "%s", field_text(record, "image"));
    table_cell(table, "%s", user_name_find(owner, field_integer(record, "owner.uid")));
    table_cell(table, "%s", units_format_size(field_integer(record, "memory"), units));
    table_cell(table, "%s",
               units_format_duration(vm_record_age_ns(field_text(record, "created")), units));
    table_cell(table, "%s", units_format_duration(field_integer(record, "uptime_ns"), units));
    table_cell(table, "%s", units_format_size(field_integer(record, "output.next"), units));
    table_cell(table, "%" PRId64, field_integer(record, "exits"));
}

static void print_records(struct json_object *records)
{
    _cleanup_(table_freep) struct table *table =
        table_new(columns, sizeof(columns) / sizeof(columns[0]));
    struct user_name owner = USER_NAME_NONE;

    for (size_t i = 0; i < json_object_array_length(records); i++)
        print_row(table, json_object_array_get_idx(records, i), &owner);
    table_print(table);
}

static int list_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *records = NULL;
    int code = client_call(client, "vm.list", json_object_get(arguments->params), &records);

    if (code != EXIT_CODE_OK)
        return code;
    if (client->json)
        client_print_json(records);
    else if (json_object_is_type(records, json_type_array) && json_object_array_length(records) > 0)
        print_records(records);
    else if (field_boolean(arguments->params, "all"))
        report("there are no VMs");
    else
        report("there are no live VMs; 'vmmctl list --all' shows ended ones");
    return EXIT_CODE_OK;
}

const struct command command_list = {
    .name = "list",
    .aliases = { "ls", "ps" },
    .summary = "Show the VMs",
    .description = "In a narrow terminal some columns are left out; in a pipe or a file none is.\n",
    .options = list_options,
    .run = list_run,
};

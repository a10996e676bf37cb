/* stats: what a VM's exits were and where its time went. */
#include <inttypes.h>
#include <stdio.h>

#include "block.h"
#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "table.h"
#include "units.h"

static const struct table_column reason_columns[] = {
    { "EXIT", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "COUNT", TABLE_NUMBER, TABLE_RANK_ALWAYS },
};

/* An object of counts by name, then their total. */
static void print_reasons(struct json_object *exits)
{
    _cleanup_(table_freep) struct table *table = table_new(reason_columns, 2);
    struct json_object *by_reason = field_get(exits, "by_reason");

    if (json_object_is_type(by_reason, json_type_object)) {
        json_object_object_foreach(by_reason, name, count) {
            table_row(table);
            table_cell(table, "%s", name);
            table_cell(table, "%" PRId64, json_object_get_int64(count));
        }
    }
    table_row(table);
    table_cell(table, "total");
    table_cell(table, "%" PRId64, field_integer(exits, "total"));
    table_print(table);
}

static const struct table_column io_columns[] = {
    { "ACCESS", TABLE_WORD, TABLE_RANK_ALWAYS },    { "ADDRESS", TABLE_NUMBER, TABLE_RANK_ALWAYS },
    { "DIRECTION", TABLE_WORD, TABLE_RANK_ALWAYS }, { "COUNT", TABLE_NUMBER, TABLE_RANK_ALWAYS },
    { "DEVICE", TABLE_WORD, TABLE_RANK_ALWAYS },
};

static void print_io(struct json_object *stats)
{
    _cleanup_(table_freep) struct table *table = table_new(io_columns, 5);
    size_t count = field_count(stats, "io");

    for (size_t i = 0; i < count; i++) {
        struct json_object *row = json_object_array_get_idx(field_get(stats, "io"), i);

        table_row(table);
        table_cell(table, "%s", field_text(row, "space"));
        if (field_get(row, "address"))
            table_cell(table, "0x%" PRIx64, (uint64_t)field_integer(row, "address"));
        else
            table_cell(table, "others");
        table_cell(table, "%s", field_text(row, "direction"));
        table_cell(table, "%" PRId64, field_integer(row, "count"));
        if (field_get(row, "handled"))
            table_cell(table, "%s", field_boolean(row, "handled") ? "yes" : "none");
        else
            table_cell(table, "%s", "");
    }
    if (count > 0)
        putchar('\n');
    table_print(table);
}

static const struct table_column hypercall_columns[] = {
    { "HYPERCALL", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "NAME", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "COUNT", TABLE_NUMBER, TABLE_RANK_ALWAYS },
};

static void print_hypercalls(struct json_object *stats)
{
    _cleanup_(table_freep) struct table *table = table_new(hypercall_columns, 3);
    size_t count = field_count(stats, "hypercalls");

    for (size_t i = 0; i < count; i++) {
        struct json_object *row = json_object_array_get_idx(field_get(stats, "hypercalls"), i);

        table_row(table);
        if (field_get(row, "number"))
            table_cell(table, "0x%02" PRIx64, (uint64_t)field_integer(row, "number"));
        else
            table_cell(table, "others");
        table_cell(table, "%s", field_text(row, "name"));
        table_cell(table, "%" PRId64, field_integer(row, "count"));
    }
    if (count > 0)
        putchar('\n');
    table_print(table);
}

static void print_times(struct json_object *stats)
{
    _cleanup_(block_freep) struct block *block = block_new();
    char text[UNITS_TEXT_SIZE];

    block_line(block, "coalesced writes", "%" PRId64, field_integer(stats, "coalesced"));
    block_line(block, "time in the guest", "%s",
               units_format_duration(field_integer(stats, "time.guest_ns"), text));
    block_line(block, "time in the VMM", "%s",
               units_format_duration(field_integer(stats, "time.vmm_ns"), text));
    putchar('\n');
    block_print(block);
}

static int stats_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *stats = NULL;
    int code = client_call(client, "vm.stats", client_vm_params(arguments->operands[0]), &stats);

    if (code != EXIT_CODE_OK)
        return code;
    if (client->json) {
        client_print_json(stats);
        return EXIT_CODE_OK;
    }
    print_reasons(field_get(stats, "exits"));
    print_io(stats);
    print_hypercalls(stats);
    print_times(stats);
    return EXIT_CODE_OK;
}

const struct command command_stats = {
    .name = "stats",
    .operands = "VM",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Show what a VM's exits were and where its time went",
    .description = "An access of a port or of memory is counted where it made the VM exit; writes\n"
                   "that KVM gathered are counted as coalesced.\n",
    .run = stats_run,
};

/* status: all there is to know about one VM. */
#include <inttypes.h>
#include <stdio.h>

#include "block.h"
#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "table.h"
#include "units.h"
#include "vm_record.h"

enum { REGISTERS_PER_LINE = 4 };

static void block_output(struct block *block, struct json_object *output)
{
    int64_t first = field_integer(output, "first"), next = field_integer(output, "next");

    if (first > 0)
        block_line(block, "output", "%" PRId64 " bytes; the last %" PRId64 " are kept", next,
                   next - first);
    else
        block_line(block, "output", "%" PRId64 " bytes, all kept", next);
    block_size(block, "ring", field_integer(output, "capacity"));
}

static void block_exit(struct block *block, struct json_object *exit)
{
    char text[VM_RECORD_TEXT_SIZE];

    if (!exit)
        return;
    block_line(block, "reason", "%s", vm_record_format_exit(exit, text));
    block_line(block, "", "%s", field_text(exit, "message"));
    block_peer(block, "by", field_get(exit, "by"));
}

static void print_registers(struct json_object *registers)
{
    struct table_column columns[2 * REGISTERS_PER_LINE];
    _cleanup_(table_freep) struct table *table = NULL;
    int i = 0;

    for (size_t n = 0; n < 2 * REGISTERS_PER_LINE; n++)
        columns[n] = (struct table_column){ "", TABLE_WORD, TABLE_RANK_ALWAYS };
    table = table_new(columns, 2 * REGISTERS_PER_LINE);
    table_make_block(table);
    json_object_object_foreach(registers, name, value) {
        if (i++ % REGISTERS_PER_LINE == 0)
            table_row(table);
        table_cell(table, "%s", name);
        table_cell(table, "%s", json_object_get_string(value));
    }
    puts("\nregisters");
    table_print(table);
}

static void print_record(struct json_object *record)
{
    _cleanup_(block_freep) struct block *block = block_new();
    struct json_object *registers = field_get(record, "exit.registers");
    char text[UNITS_TEXT_SIZE];

    block_line(block, "id", "%" PRId64, field_integer(record, "id"));
    block_line(block, "name", "%s", field_text(record, "name"));
    block_line(block, "state", "%s", field_text(record, "state"));
    block_exit(block, field_get(record, "exit"));
    block_line(block, "image", "%s, %" PRId64 " bytes, %s, %s mode", field_text(record, "image"),
               field_integer(record, "image_size"), field_text(record, "format"),
               field_text(record, "mode"));
    block_size(block, "memory", field_integer(record, "memory"));
    block_peer(block, "owner", field_get(record, "owner"));
    block_time(block, "created", field_text(record, "created"));
    block_time(block, "started", field_text(record, "started"));
    block_time(block, "ended", field_text(record, "ended"));
    block_line(block, "uptime", "%s",
               units_format_duration(field_integer(record, "uptime_ns"), text));
    block_output(block, field_get(record, "output"));
    block_line(block, "exits", "%" PRId64, field_integer(record, "exits"));
    block_print(block);
    if (json_object_is_type(registers, json_type_object))
        print_registers(registers);
}

static int status_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *record = NULL;
    int code = client_call(client, "vm.get", client_vm_params(arguments->operands[0]), &record);

    if (code != EXIT_CODE_OK)
        return code;
    if (client->json)
        client_print_json(record);
    else
        print_record(record);
    return EXIT_CODE_OK;
}

const struct command command_status = {
    .name = "status",
    .operands = "VM",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Show all that is known about a VM",
    .description = "Of a VM that failed, also where its CPU was.\n",
    .run = status_run,
};

/* status: all there is to know about one VM. */
#include <inttypes.h>
#include <stdio.h>

#include "block.h"
#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "instructions.h"
#include "report.h"
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

static void block_machine(struct block *block, struct json_object *record)
{
    int64_t cpus = field_integer(record, "cpus");

    if (field_get(record, "machine"))
        block_line(block, "machine", "%s, %" PRId64 " CPU%s", field_text(record, "machine"), cpus,
                   cpus == 1 ? "" : "s");
    block_size(block, "memory", field_integer(record, "memory"));
    if (field_get(record, "note"))
        block_line(block, "note", "%s", field_text(record, "note"));
}

static void block_post(struct block *block, struct json_object *post)
{
    if (!json_object_is_type(post, json_type_object))
        return;
    json_object_object_foreach(post, port, code)
        block_line(block, "POST code", "0x%02" PRIx64 " at port %s",
                   (uint64_t)json_object_get_int64(code), port);
}

static void block_input(struct block *block, struct json_object *input)
{
    if (input)
        block_line(block, "input", "%" PRId64 " bytes wait for it%s",
                   field_integer(input, "queued"), field_boolean(input, "ended") ? "; ended" : "");
}

static void block_times(struct block *block, struct json_object *record)
{
    int64_t paused = field_integer(record, "paused_ns");
    char text[UNITS_TEXT_SIZE];

    block_time(block, "created", field_text(record, "created"));
    block_time(block, "started", field_text(record, "started"));
    block_time(block, "ended", field_text(record, "ended"));
    block_line(block, "uptime", "%s",
               units_format_duration(field_integer(record, "uptime_ns"), text));
    if (paused > 0)
        block_line(block, "paused", "%s", units_format_duration(paused, text));
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
    const char *image = field_text(record, "image"); /* "": the client gave no name */

    block_line(block, "id", "%" PRId64, field_integer(record, "id"));
    block_line(block, "name", "%s", field_text(record, "name"));
    block_line(block, "state", "%s", field_text(record, "state"));
    block_exit(block, field_get(record, "exit"));
    block_line(block, "image", "%s%s%" PRId64 " bytes, %s, %s mode", image, *image ? ", " : "",
               field_integer(record, "image_size"), field_text(record, "format"),
               field_text(record, "mode"));
    block_machine(block, record);
    block_peer(block, "owner", field_get(record, "owner"));
    block_times(block, record);
    block_input(block, field_get(record, "input"));
    block_output(block, field_get(record, "output"));
    if (field_get(record, "ring_end"))
        block_line(block, "shared ring", "ended: %s", field_text(record, "ring_end"));
    block_post(block, field_get(record, "post"));
    block_line(block, "exits", "%" PRId64, field_integer(record, "exits"));
    block_print(block);
}

/* Where the CPU stands, of a paused VM, or stood, of one that crashed; NULL: neither. */
static struct json_object *cpu_of(struct json_object *record)
{
    struct json_object *paused = field_get(record, "paused");
    struct json_object *cpu = paused ? paused : field_get(record, "exit");

    return json_object_is_type(field_get(cpu, "registers"), json_type_object) ? cpu : NULL;
}

static int print_cpu(struct json_object *record)
{
    struct json_object *cpu = cpu_of(record);

    if (!cpu) {
        report("VM '%s' (%" PRId64 ") is %s: only a paused or crashed one shows its registers",
               field_text(record, "name"), field_integer(record, "id"),
               field_text(record, "state"));
        if (!vm_record_has_ended(record))
            report_hint("'vmmctl pause %" PRId64 "' holds it", field_integer(record, "id"));
        return EXIT_CODE_FAILED;
    }
    print_registers(field_get(cpu, "registers"));
    if (field_get(cpu, "instructions")) {
        puts("\ninstructions");
        instructions_print(field_get(cpu, "instructions"), field_get(cpu, "registers"));
    }
    return EXIT_CODE_OK;
}

static int status_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *record = NULL;
    int code = client_call(client, "vm.get", client_vm_params(arguments->operands[0]), &record);

    if (code != EXIT_CODE_OK)
        return code;
    if (client->json) {
        client_print_json(record);
        return EXIT_CODE_OK;
    }
    print_record(record);
    return field_boolean(arguments->options, "registers") || field_get(record, "exit.registers")
               ? print_cpu(record)
               : EXIT_CODE_OK;
}

static const struct option_row status_options[] = {
    { OPTION_ON, "registers", 0, NULL, NULL, "where the CPU of a paused VM stands" },
    { 0 },
};

const struct command command_status = {
    .name = "status",
    .operands = "VM",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Show all that is known about a VM",
    .description = "Of a VM that failed, also its registers, and the instructions there.\n",
    .options = status_options,
    .run = status_run,
};

/* attach, logs: the output of a VM, as it comes and as it was kept. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "console.h"
#include "exit_code.h"
#include "field.h"
#include "output_chunk.h"
#include "protocol/limits.h"
#include "report.h"

static const struct option_row attach_options[] = {
    { OPTION_POSITION, "from", 0, "WHERE", "from", "where to begin: start, end" },
    { 0 },
};

static int attach_run(struct client *client, const struct arguments *arguments)
{
    const struct console_request request = {
        .vm = arguments->operands[0],
        .from = field_get(arguments->params, "from"),
        .keys = client->json ? CONSOLE_NO_KEYS : CONSOLE_ATTACH_KEYS,
    };
    _cleanup_json_ struct json_object *exit = NULL;

    return console_run(client, &request, &exit);
}

const struct command command_attach = {
    .name = "attach",
    .operands = "VM",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Stream a VM's output from its first byte, type to it",
    .description =
        "Any number may be attached to one VM, ended ones too. It ends with the VM, and says on\n"
        "standard error why that ended. Bytes that were overwritten before they could be shown\n"
        "are counted there. --from also takes an offset in bytes, or -N for the last N bytes.\n"
        "\n"
        "On a terminal, Ctrl-] detaches, and the VM goes on. All other keys are the guest's, also\n"
        "Ctrl-C. Elsewhere standard output gets the guest's bytes and nothing else, and standard\n"
        "input is left alone; 'vmmctl input' sends it.\n",
    .options = attach_options,
    .run = attach_run,
};

static const struct option_row logs_options[] = {
    { OPTION_ON, "follow", 'f', NULL, NULL, "go on until the VM has ended" },
    { OPTION_COUNT, "lines", 'n', "LINES", NULL, "only the last LINES lines" },
    { 0 },
};

/* At most max bytes from an offset on, as they came and decoded. */
static int fetch(struct client *client, int64_t vm, int64_t from, int64_t max,
                 struct json_object **ret_value, struct output_chunk *ret)
{
    struct json_object *params = json_object_new_object();
    int code;

    json_object_object_add(params, "vm", json_object_new_int64(vm));
    json_object_object_add(params, "from", json_object_new_int64(from));
    json_object_object_add(
        params, "max",
        json_object_new_int64(max < PROTOCOL_OUTPUT_MAX ? max : PROTOCOL_OUTPUT_MAX));
    code = client_call(client, "vm.output", params, ret_value);
    if (code != EXIT_CODE_OK)
        return code;
    if (output_chunk_read(*ret_value, ret) < 0) {
        report("what vmmd sent is no output");
        return EXIT_CODE_FAILED;
    }
    return EXIT_CODE_OK;
}

/* Where the line begins that has `lines` line ends behind it, the last byte's not counted, in the
 * chunk; -1: before the chunk. *lines is less by those that were seen. */
static int64_t scan_back(const struct output_chunk *chunk, int64_t end, int64_t *lines)
{
    for (size_t i = chunk->size; i > 0; i--) {
        int64_t behind = chunk->offset + (int64_t)i;

        if (chunk->bytes[i - 1] == '\n' && behind < end && --*lines == 0)
            return behind;
    }
    return -1;
}

/* Where the last lines begin in the output [first, end). */
static int find_last_lines(struct client *client, int64_t vm, int64_t first, int64_t end,
                           int64_t lines, int64_t *ret)
{
    int64_t position = lines > 0 ? end : first, found = lines > 0 ? first : end;

    while (position > first) {
        int64_t from =
            position - PROTOCOL_OUTPUT_MAX > first ? position - PROTOCOL_OUTPUT_MAX : first;
        _cleanup_json_ struct json_object *value = NULL;
        _cleanup_chunk_ struct output_chunk chunk = { 0 };
        int64_t line;
        int code = fetch(client, vm, from, position - from, &value, &chunk);

        if (code != EXIT_CODE_OK)
            return code;
        line = scan_back(&chunk, end, &lines);
        if (line >= 0 || chunk.lost > 0) { /* lost: the guest is overwriting it right now */
            found = line >= 0 ? line : chunk.offset;
            break;
        }
        position = from;
    }
    *ret = found;
    return EXIT_CODE_OK;
}

static int print_output(struct client *client, int64_t vm, int64_t from, int64_t end)
{
    while (from < end) {
        _cleanup_json_ struct json_object *value = NULL;
        _cleanup_chunk_ struct output_chunk chunk = { 0 };
        int code = fetch(client, vm, from, end - from, &value, &chunk);

        if (code != EXIT_CODE_OK)
            return code;
        if (client->json) {
            client_print_json(value);
        } else {
            if (chunk.lost > 0)
                report("%" PRId64 " bytes lost", chunk.lost);
            if (fwrite(chunk.bytes, 1, chunk.size, stdout) < chunk.size)
                return EXIT_CODE_OK; /* main() says what is wrong with stdout */
        }
        if (chunk.size == 0)
            break;
        from = chunk.offset + (int64_t)chunk.size;
    }
    return EXIT_CODE_OK;
}

static int follow(struct client *client, int64_t vm, int64_t from)
{
    char id[32];
    _cleanup_json_ struct json_object *position = json_object_new_int64(from), *exit = NULL;
    const struct console_request request = {
        .vm = id,
        .from = position,
        .keys = CONSOLE_NO_KEYS,
    };

    snprintf(id, sizeof(id), "%" PRId64, vm);
    return console_run(client, &request, &exit);
}

static int logs_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *record = NULL;
    int64_t vm, end, from = 0;
    int code = client_call(client, "vm.get", client_vm_params(arguments->operands[0]), &record);

    if (code != EXIT_CODE_OK)
        return code;
    vm = field_integer(record, "id");
    end = field_integer(record, "output.next");
    if (field_get(arguments->options, "lines"))
        code = find_last_lines(client, vm, field_integer(record, "output.first"), end,
                               field_integer(arguments->options, "lines"), &from);
    if (code != EXIT_CODE_OK)
        return code;
    if (field_boolean(arguments->options, "follow"))
        return follow(client, vm, from);
    return print_output(client, vm, from, end);
}

const struct command command_logs = {
    .name = "logs",
    .operands = "VM",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Print the output that is kept of a VM",
    .options = logs_options,
    .run = logs_run,
};

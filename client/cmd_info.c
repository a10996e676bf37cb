/* info: the daemon, and its workers. */
#include <inttypes.h>
#include <stdio.h>

#include "block.h"
#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "vm_record.h"
#include "worker_table.h"

/* A row for each number in an object, in a block under its title. */
static void print_numbers(const char *title, struct json_object *numbers)
{
    _cleanup_(block_freep) struct block *block = block_new();

    if (!json_object_is_type(numbers, json_type_object))
        return;
    json_object_object_foreach(numbers, name, number)
        block_line(block, name, "%" PRId64, json_object_get_int64(number));
    printf("\n%s\n", title);
    block_print(block);
}

static void print_info(struct json_object *info)
{
    _cleanup_(block_freep) struct block *block = block_new();
    char name[VM_RECORD_TEXT_SIZE];

    block_line(block, "version", "%s (protocol %" PRId64 ")", field_text(info, "version"),
               field_integer(info, "protocol"));
    block_line(block, "runs guests for", "%s", field_text(info, "architecture"));
    block_line(block, "process", "%" PRId64 " of %s", field_integer(info, "pid"),
               vm_record_format_user(field_integer(info, "uid"), name));
    block_time(block, "started", field_text(info, "started"));
    block_line(block, "state", "%s", field_text(info, "state_dir"));
    block_line(block, "VMs", "%" PRId64 " live, %" PRId64 " ended",
               field_integer(info, "counts.vms_live"), field_integer(info, "counts.vms_ended"));
    block_line(block, "connections", "%" PRId64 ", with %" PRId64 " streams",
               field_integer(info, "counts.connections"),
               field_integer(info, "counts.subscriptions"));
    block_line(block, "KVM API", "%" PRId64, field_integer(info, "kvm.api_version"));
    block_print(block);
    print_numbers("limits", field_get(info, "limits"));
    print_numbers("KVM capabilities", field_get(info, "kvm.capabilities"));
}

static int info_run(struct client *client, const struct arguments *arguments)
{
    bool of_workers = field_boolean(arguments->options, "workers");
    _cleanup_json_ struct json_object *info = NULL;
    int code = client_call(client, of_workers ? "daemon.workers" : "daemon.info", NULL, &info);

    if (code != EXIT_CODE_OK)
        return code;
    if (client->json)
        client_print_json(info);
    else if (of_workers)
        worker_table_print(info);
    else
        print_info(info);
    return EXIT_CODE_OK;
}

static const struct option_row info_options[] = {
    { OPTION_ON, "workers", 0, NULL, NULL, "the processes that run its VMs, instead" },
    { 0 },
};

const struct command command_info = {
    .name = "info",
    .summary = "Show what the daemon is, can do and holds",
    .options = info_options,
    .run = info_run,
};

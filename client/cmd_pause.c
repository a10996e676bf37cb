/* pause, resume: VMs that stand still, and go on. */
#include <inttypes.h>

#include "command.h"
#include "each_vm.h"
#include "exit_code.h"
#include "field.h"
#include "report.h"

static int show_state(struct client *client, struct json_object *record)
{
    if (client->json)
        client_print_json(record);
    else
        report_answer("VM '%s' (%" PRId64 ") is %s", field_text(record, "name"),
                      field_integer(record, "id"), field_text(record, "state"));
    return EXIT_CODE_OK;
}

static int pause_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *vms = each_vm_named(arguments);

    return each_vm_call(client, "vm.pause", arguments->params, vms, show_state);
}

const struct command command_pause = {
    .name = "pause",
    .operands = "VM...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Hold the CPUs of VMs",
    .description = "The time until 'resume' counts neither as run time nor towards a time-out.\n"
                   "'status --registers' shows where a paused VM is.\n",
    .run = pause_run,
};

static int resume_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *vms = each_vm_named(arguments);

    return each_vm_call(client, "vm.resume", arguments->params, vms, show_state);
}

const struct command command_resume = {
    .name = "resume",
    .operands = "VM...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Let paused VMs go on",
    .run = resume_run,
};

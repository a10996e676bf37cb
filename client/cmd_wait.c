/* wait: for the end of VMs. */
#include "command.h"
#include "each_vm.h"
#include "exit_code.h"
#include "field.h"
#include "vm_record.h"

static const struct option_row wait_options[] = {
    { OPTION_DURATION, "timeout", 't', "TIME", "timeout_ms",
      "give up after this long: 500ms, 5s, 2m, 1h" },
    { 0 },
};

static int show_end_as_code(struct client *client, struct json_object *record)
{
    if (client->json)
        client_print_json(record);
    else
        vm_record_answer_end(record);
    return exit_code_of_guest(field_get(record, "exit"));
}

static int wait_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *vms = each_vm_named(arguments);

    return each_vm_call(client, "vm.wait", arguments->params, vms, show_end_as_code);
}

const struct command command_wait = {
    .name = "wait",
    .operands = "VM...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Wait until VMs have ended, and say how",
    .description =
        "The exit code is the guest's own where it ended with one, 0 if it halted, 124 after the\n"
        "VM's own time-out, 125 if it crashed or failed, 130 if it was stopped; of several VMs,\n"
        "the first that is not 0, in the order given. If --timeout passes before, it is 1.\n",
    .options = wait_options,
    .run = wait_run,
};

/* stop, rm: the end of VMs. */
#include "command.h"
#include "each_vm.h"
#include "exit_code.h"
#include "field.h"
#include "report.h"
#include "vm_record.h"

static int show_end(struct client *client, struct json_object *record)
{
    if (client->json)
        client_print_json(record);
    else
        vm_record_answer_end(record);
    return EXIT_CODE_OK;
}

static const struct option_row stop_options[] = {
    { OPTION_ON, "force", 'f', NULL, "force", "record its end as killed instead of stopped" },
    { 0 },
};

static int stop_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *vms = each_vm_named(arguments);

    return each_vm_call(client, "vm.stop", arguments->params, vms, show_end);
}

const struct command command_stop = {
    .name = "stop",
    .operands = "VM...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "End VMs, and say how they ended",
    .description = "A VM that had ended already is told with the end it had.\n",
    .options = stop_options,
    .run = stop_run,
};

static const struct option_row rm_options[] = {
    { OPTION_ON, "force", 'f', NULL, NULL, "stop it first if it is live" },
    { OPTION_ON, "all", 'a', NULL, NULL, "every VM that has ended" },
    { 0 },
};

static int show_nothing(struct client *client, struct json_object *result)
{
    if (client->json)
        client_print_json(result);
    return EXIT_CODE_OK;
}

static int ended_vms(struct client *client, struct json_object *vms)
{
    struct json_object *params = json_object_new_object();
    _cleanup_json_ struct json_object *records = NULL;
    int code;

    json_object_object_add(params, "all", json_object_new_boolean(true));
    code = client_call(client, "vm.list", params, &records);
    if (code != EXIT_CODE_OK || !json_object_is_type(records, json_type_array))
        return code;
    for (size_t i = 0; i < json_object_array_length(records); i++) {
        struct json_object *record = json_object_array_get_idx(records, i);

        if (vm_record_has_ended(record))
            json_object_array_add(vms, json_object_get(field_get(record, "id")));
    }
    return EXIT_CODE_OK;
}

/* Names may be given to a new VM while the old one goes: from here on ids. */
static int stop_first(struct client *client, const struct arguments *arguments,
                      struct json_object *vms)
{
    int code = EXIT_CODE_OK;

    for (int i = 0; i < arguments->operand_count; i++) {
        struct json_object *params = client_vm_params(arguments->operands[i]);
        _cleanup_json_ struct json_object *record = NULL;
        int one;

        json_object_object_add(params, "force", json_object_new_boolean(true));
        one = client_call(client, "vm.stop", params, &record);
        if (one == EXIT_CODE_NO_DAEMON)
            return one;
        if (one == EXIT_CODE_OK)
            json_object_array_add(vms, json_object_get(field_get(record, "id")));
        else if (code == EXIT_CODE_OK)
            code = one;
    }
    return code;
}

static int rm_run(struct client *client, const struct arguments *arguments)
{
    bool all = field_boolean(arguments->options, "all");
    bool force = field_boolean(arguments->options, "force");
    _cleanup_json_ struct json_object *vms = NULL;
    int code = EXIT_CODE_OK, removed;

    if (all ? force || arguments->operand_count > 0 : arguments->operand_count == 0) {
        report("rm needs VM..., or --all alone, which removes every VM that has ended");
        report_hint("'vmmctl help rm' shows its options");
        return EXIT_CODE_USAGE;
    }
    if (!all && !force) {
        vms = each_vm_named(arguments);
    } else {
        vms = json_object_new_array();
        code = all ? ended_vms(client, vms) : stop_first(client, arguments, vms);
    }
    if (code == EXIT_CODE_NO_DAEMON)
        return code;
    removed = each_vm_call(client, "vm.remove", arguments->params, vms, show_nothing);
    return code != EXIT_CODE_OK ? code : removed;
}

const struct command command_rm = {
    .name = "rm",
    .operands = "[VM...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Forget ended VMs and their output",
    .options = rm_options,
    .run = rm_run,
};

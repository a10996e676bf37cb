/* stop, wait, rm: the end of VMs. */
#include <stdlib.h>

#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "report.h"
#include "vm_record.h"

/* What to do with the result of a request for one VM; returns an exit code. */
typedef int (*result_fn)(struct client *client, struct json_object *result);

/* The same parameters for one VM after the other. */
static struct json_object *params_for(struct json_object *common, struct json_object *vm)
{
    struct json_object *params = json_object_new_object();

    json_object_object_foreach(common, name, value)
        json_object_object_add(params, name, json_object_get(value));
    json_object_object_add(params, "vm", json_object_get(vm));
    return params;
}

static int wait_for_each(struct client *client, const int64_t *ids, size_t count, result_fn handle)
{
    int code = EXIT_CODE_OK;

    for (size_t i = 0; i < count; i++) {
        _cleanup_json_ struct json_object *result = NULL;
        int one = client_wait(client, ids[i], &result);

        if (one == EXIT_CODE_OK)
            one = handle(client, result);
        else if (one == EXIT_CODE_NO_DAEMON)
            return one;
        if (code == EXIT_CODE_OK)
            code = one;
    }
    return code;
}

/* A request for each of an array of VMs, all under way at once, so that to wait for several takes
 * as long as for the last. Returns the first exit code that is not 0, in the order of the VMs. */
static int call_for_each(struct client *client, const char *method, struct json_object *common,
                         struct json_object *vms, result_fn handle)
{
    size_t count = json_object_array_length(vms);
    _cleanup_free_ int64_t *ids = calloc(count + 1, sizeof(*ids));

    if (!ids) {
        report("out of memory");
        return EXIT_CODE_FAILED;
    }
    for (size_t i = 0; i < count; i++) {
        struct json_object *vm = json_object_array_get_idx(vms, i);
        int code = client_send(client, method, params_for(common, vm), NULL, &ids[i]);

        if (code != EXIT_CODE_OK)
            return code;
    }
    return wait_for_each(client, ids, count, handle);
}

static struct json_object *vms_named(const struct arguments *arguments)
{
    struct json_object *vms = json_object_new_array();

    for (int i = 0; i < arguments->operand_count; i++)
        json_object_array_add(vms, field_new_text(arguments->operands[i]));
    return vms;
}

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
    _cleanup_json_ struct json_object *vms = vms_named(arguments);

    return call_for_each(client, "vm.stop", arguments->params, vms, show_end);
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

static const struct option_row wait_options[] = {
    { OPTION_DURATION, "timeout", 't', "TIME", "timeout_ms",
      "give up after this long: 500ms, 5s, 2m, 1h" },
    { 0 },
};

static int show_end_as_code(struct client *client, struct json_object *record)
{
    show_end(client, record);
    return exit_code_of_guest(field_get(record, "exit"));
}

static int wait_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *vms = vms_named(arguments);

    return call_for_each(client, "vm.wait", arguments->params, vms, show_end_as_code);
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
        vms = vms_named(arguments);
    } else {
        vms = json_object_new_array();
        code = all ? ended_vms(client, vms) : stop_first(client, arguments, vms);
    }
    if (code == EXIT_CODE_NO_DAEMON)
        return code;
    removed = call_for_each(client, "vm.remove", arguments->params, vms, show_nothing);
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

#include "each_vm.h"

#include <stdlib.h>

#include "exit_code.h"
#include "field.h"
#include "report.h"

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

int each_vm_call(struct client *client, const char *method, struct json_object *common,
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

struct json_object *each_vm_named(const struct arguments *arguments)
{
    struct json_object *vms = json_object_new_array();

    for (int i = 0; i < arguments->operand_count; i++)
        json_object_array_add(vms, field_new_text(arguments->operands[i]));
    return vms;
}

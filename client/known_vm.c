#include "known_vm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "protocol/rpc_error.h"

enum { SENTENCE_SIZE = 256 };

void known_vm_deinit(struct known_vm *known)
{
    free(known->name);
    free(known->created);
    *known = (struct known_vm){ 0 };
}

void known_vm_learn(struct known_vm *known, struct json_object *record)
{
    const char *created = field_text(record, "created");

    known_vm_deinit(known);
    known->id = field_integer(record, "id");
    known->name = strdup(field_text(record, "name"));
    known->created = created[0] ? strdup(created) : NULL;
}

bool known_vm_is(const struct known_vm *known, struct json_object *record)
{
    return field_integer(record, "id") == known->id &&
           (!known->created || strcmp(field_text(record, "created"), known->created) == 0);
}

struct json_object *known_vm_params(const struct known_vm *known)
{
    struct json_object *params = json_object_new_object();

    json_object_object_add(params, "vm", json_object_new_int64(known->id));
    return params;
}

int known_vm_gone(const struct known_vm *known, struct client *client)
{
    _cleanup_json_ struct json_object *error = json_object_new_object();
    const struct rpc_error_row *row = rpc_error_find(RPC_VM_NOT_FOUND);
    struct json_object *data = json_object_new_object();
    char sentence[SENTENCE_SIZE];

    snprintf(sentence, sizeof(sentence),
             "VM '%s' (%" PRId64 ") is gone: the vmmd that is there now does not know it",
             known->name ? known->name : "", known->id);
    json_object_object_add(data, "name", json_object_new_string(row->name));
    json_object_object_add(error, "code", json_object_new_int(row->code));
    json_object_object_add(error, "message", json_object_new_string(sentence));
    json_object_object_add(error, "data", data);
    return client_refused(client, error);
}

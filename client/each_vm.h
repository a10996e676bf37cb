/*
 * Each VM: one method called for several VMs, all requests under way at once, so that waiting for
 * several takes as long as for the last.
 */
#pragma once

#include <json-c/json.h>

#include "arguments.h"
#include "client.h"

/* What to do with the result for one VM; returns an exit code. */
typedef int (*result_fn)(struct client *client, struct json_object *result);

/* vms: an array of ids and names; common: the parameters besides `vm`. Returns the first exit code
 * that is not 0, in the order of the VMs. */
int each_vm_call(struct client *client, const char *method, struct json_object *common,
                 struct json_object *vms, result_fn handle);

/* The VMs that the operands name. */
struct json_object *each_vm_named(const struct arguments *arguments);

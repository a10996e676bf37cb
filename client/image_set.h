/*
 * Image set: the files that make a VM, opened by the client: the image, an initrd, modules.
 */
#pragma once

#include <json-c/json.h>

#include "arguments.h"
#include "connection.h"

/* Opens the image that is the operand and what --initrd and --module name, and adds them to params
 * of vm.start. Returns an exit code; passed is to be closed either way. */
int image_set_open(const struct arguments *arguments, struct json_object *params,
                   struct passed_fds *passed);

void image_set_close(struct passed_fds *passed);

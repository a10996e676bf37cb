/*
 * Known VM: the one a command is about, so that it finds that one again when the daemon was away.
 *
 * A name is good for finding it at first. Later another VM may have the name, so from there on it
 * is the id; and where somebody emptied the state directory, another VM has even that, but was not
 * created at the same time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "client.h"

struct known_vm {
    int64_t id;    /* 0: not known yet */
    char *name;    /* NULL: not known */
    char *created; /* NULL: not known yet */
};

void known_vm_deinit(struct known_vm *known);

/* Learns it from what vm.get or vm.start answered; of the latter, not when it was created. */
void known_vm_learn(struct known_vm *known, struct json_object *record);

/* Whether the record is this VM's, as far as is known. */
bool known_vm_is(const struct known_vm *known, struct json_object *record);

/* params of a method about it. */
struct json_object *known_vm_params(const struct known_vm *known);

/* The daemon does not know it any more: says so, and returns the exit code. */
int known_vm_gone(const struct known_vm *known, struct client *client);

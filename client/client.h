/*
 * Client: what every command has: the options common to all, and a connection made when it is
 * first needed, to the daemon that was named or found, or to a private one started for it.
 *
 * Functions that talk to the daemon say themselves what went wrong and return an exit code; a
 * command that gets one that is not EXIT_CODE_OK returns it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "connection.h"
#include "place.h"

struct client {
    const char *socket_option; /* NULL: not given */
    bool json;                 /* --json */
    const char *command;       /* the command's name, for hints */
    struct connection *connection;
    struct place place; /* where that leads */
};

void client_deinit(struct client *client);

/* Makes the connection if there is none yet. */
int client_connect(struct client *client);

/* Sends a request and waits for its result, which the caller releases (NULL: JSON null). Takes
 * params (NULL: none). */
int client_call(struct client *client, const char *method, struct json_object *params,
                struct json_object **ret_result);

/* The same with descriptors that go along; they stay the caller's. */
int client_call_with_fds(struct client *client, const char *method, struct json_object *params,
                         const struct passed_fds *passed, struct json_object **ret_result);

/* The two halves of client_call(), for several requests at once. */
int client_send(struct client *client, const char *method, struct json_object *params,
                const struct passed_fds *passed, int64_t *ret_id);
int client_wait(struct client *client, int64_t id, struct json_object **ret_result);

/* Says what a failed connection_*() or an error object from the daemon is about; the exit code. */
int client_fail(const struct error *err);
int client_refused(struct client *client, struct json_object *error);

/* One JSON value as a line of standard output. */
void client_print_json(struct json_object *value);

/* params of a method about one VM, by id or name. */
struct json_object *client_vm_params(const char *vm);

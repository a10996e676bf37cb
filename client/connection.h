/*
 * Connection: one to vmmd, from the client's side.
 *
 * Requests go out at once; what comes in is parsed and kept in the order it came until somebody
 * takes it. Answers may come in any order and are paired by id (JSON-RPC 2.0 section 5), so that
 * notifications between a request and its answer are not lost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "protocol/limits.h"
#include "util/cleanup.h"
#include "util/error.h"

struct connection;

/* What came in: a notification (method set) or an answer. An error with no id, which says that a
 * line could not be read at all (section 5), has id 0. */
struct incoming {
    struct json_object *value; /* owns all of the below */
    const char *method;
    struct json_object *params;
    int64_t id;
    struct json_object *result;
    struct json_object *error; /* NULL: the answer is the result */
};

void incoming_deinit(struct incoming *incoming);
#define _cleanup_incoming_ _cleanup_(incoming_deinit)

/* Errors: connect(2)'s; -ENAMETOOLONG. */
int connection_open(const char *path, struct connection **ret, struct error *err);
struct connection *connection_free(struct connection *connection);
DEFINE_CLEANUP(struct connection *, connection_free);

/* To poll for POLLIN; then connection_receive(). */
int connection_fd(const struct connection *connection);

/* Descriptors that go along with a request (SCM_RIGHTS), in the order in which it names them. */
struct passed_fds {
    int fds[PROTOCOL_FDS_MAX];
    size_t count;
};

/*
 * Sends a request; blocks while the daemon does not read. Takes params (NULL: none). The passed
 * descriptors stay the caller's; NULL: none. Errors: -EMSGSIZE (more than the daemon reads),
 * -ECONNRESET (the daemon is gone).
 */
int connection_send(struct connection *connection, const char *method, struct json_object *params,
                    const struct passed_fds *passed, int64_t *ret_id, struct error *err);

/* Reads once what the daemon sent; wait: until there is something. Errors: -ECONNRESET (the daemon
 * is gone), -EPROTO (what it sent is not JSON-RPC), -ENOMEM. */
int connection_receive(struct connection *connection, bool wait, struct error *err);

/* The oldest message not yet taken; false: none. */
bool connection_take(struct connection *connection, struct incoming *ret);

/* The same of the answer to request id. */
bool connection_take_answer(struct connection *connection, int64_t id, struct incoming *ret);

/* The oldest notification; answers before it stay to be taken. */
bool connection_take_notification(struct connection *connection, struct incoming *ret);

/* Waits for the answer to request id; notifications and other answers stay to be taken. Errors: as
 * connection_receive(). */
int connection_wait_answer(struct connection *connection, int64_t id, struct incoming *ret,
                           struct error *err);

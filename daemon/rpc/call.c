#include "rpc/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/json_builder.h"
#include "protocol/message.h"
#include "rpc/batch.h"
#include "rpc/param.h"

/* The one place where a module's errno becomes an error of the wire. */
static const struct errno_row {
    int error;
    enum rpc_error_code code;
} errno_rows[] = {
    { -EINVAL, RPC_INVALID_PARAMS },   { -ESRCH, RPC_VM_NOT_FOUND },
    { -EEXIST, RPC_NAME_TAKEN },       { -EBUSY, RPC_WRONG_STATE },
    { -ENOEXEC, RPC_IMAGE_REFUSED },   { -EDQUOT, RPC_LIMIT_REACHED },
    { -EAGAIN, RPC_LIMIT_REACHED },    { -ENODEV, RPC_KVM_FAILED },
    { -ENOMEM, RPC_KVM_FAILED },       { -ETIMEDOUT, RPC_TIMED_OUT },
    { -ERANGE, RPC_OUT_OF_RANGE },     { -ENOENT, RPC_SUBSCRIPTION_NOT_FOUND },
    { -ESHUTDOWN, RPC_SHUTTING_DOWN }, { -EIO, RPC_STORAGE_FAILED },
};

static enum rpc_error_code code_of(int error)
{
    for (size_t i = 0; i < sizeof(errno_rows) / sizeof(errno_rows[0]); i++)
        if (errno_rows[i].error == error)
            return errno_rows[i].code;
    return RPC_INTERNAL_ERROR;
}

struct rpc_call *rpc_call_new(struct peer *peer, struct json_object *id, bool is_notification,
                              struct rpc_batch *batch)
{
    struct rpc_call *call = calloc(1, sizeof(*call));

    if (!call) {
        json_object_put(id);
        return NULL;
    }
    call->peer = peer;
    call->id = id;
    call->is_notification = is_notification;
    call->batch = batch;
    if (batch)
        batch->pending++;
    peer_add_call(peer, &call->waiting);
    return call;
}

bool rpc_call_is_unheard(const struct rpc_call *call)
{
    return call->is_notification || connection_is_deaf(&call->peer->connection);
}

void rpc_call_on_cancel(struct rpc_call *call, void (*fn)(void *context), void *context)
{
    call->waiting.cancel = fn;
    call->waiting.context = context;
}

static struct json_object *new_too_large(const struct rpc_call *call)
{
    return message_new_error(json_object_get(call->id), RPC_ANSWER_TOO_LARGE,
                             rpc_error_find(RPC_ANSWER_TOO_LARGE)->sentence, NULL);
}

/* The batch adds the separators itself, so that the LF is left out. */
static void add_to_batch(struct rpc_call *call, struct json_object *answer)
{
    struct json_object *too_large = NULL;
    size_t length;
    char *line = message_line(answer, &length);

    if (line && !rpc_batch_has_room(call->batch, length - 1)) {
        free(line);
        too_large = new_too_large(call);
        line = message_line(too_large, &length);
    }
    if (!line || rpc_batch_add(call->batch, line, length - 1) < 0)
        peer_fail(call->peer);
    free(line);
    json_object_put(too_large);
    json_object_put(answer);
}

void rpc_call_forget(struct rpc_call *call)
{
    struct peer *peer = call->peer;

    peer_remove_call(peer, &call->waiting);
    if (call->batch)
        rpc_batch_release(call->batch);
    json_object_put(call->id);
    json_object_put(call->params);
    free(call);
    connection_settle(&peer->connection);
}

/* Takes answer; NULL: it could not be built. Frees call. */
static void finish(struct rpc_call *call, struct json_object *answer)
{
    if (rpc_call_is_unheard(call))
        json_object_put(answer);
    else if (call->batch)
        add_to_batch(call, answer);
    else
        peer_send(call->peer, answer);
    rpc_call_forget(call);
}

void rpc_call_answer(struct rpc_call *call, struct json_object *result)
{
    finish(call, result ? message_new_result(json_object_get(call->id), result) : NULL);
}

/* The text may hold what a client or a file system gave, cut anywhere. Takes data, an object; NULL:
 * it could not be built. */
static void fail_with(struct rpc_call *call, enum rpc_error_code code, char *text,
                      struct json_object *data)
{
    utf8_repair(text);
    finish(call, data ? message_new_error(json_object_get(call->id), code, text, data) : NULL);
}

void rpc_call_fail(struct rpc_call *call, enum rpc_error_code code, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fail_with(call, code, text, json_object_new_object());
}

void rpc_call_fail_error(struct rpc_call *call, const struct error *err)
{
    rpc_call_fail_error_with(call, err, json_object_new_object());
}

void rpc_call_fail_error_with(struct rpc_call *call, const struct error *err,
                              struct json_object *data)
{
    char text[ERROR_TEXT_SIZE];

    if (err->about) {
        struct json_object *value = rpc_params_value(call->table, call->params, err->about);

        json_add_text(&data, "parameter", err->about);
        if (value)
            json_add(&data, "value", json_object_get(value));
    }
    snprintf(text, sizeof(text), "%s", err->text);
    fail_with(call, code_of(err->code), text, data);
}

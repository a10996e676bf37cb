#include "rpc/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/json_writer.h"
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

/* Takes answer. */
static void add_to_batch(struct rpc_call *call, struct json_object *answer)
{
    size_t length;
    char *text = json_write(answer, &length);

    if (!rpc_batch_has_room(call->batch, length)) {
        json_object_put(answer);
        answer = message_new_error(json_object_get(call->id), RPC_ANSWER_TOO_LARGE,
                                   rpc_error_find(RPC_ANSWER_TOO_LARGE)->sentence, NULL);
        free(text);
        text = json_write(answer, &length);
    }
    rpc_batch_add(call->batch, text, length);
    free(text);
    json_object_put(answer);
}

/* Takes answer; frees call. */
static void finish(struct rpc_call *call, struct json_object *answer)
{
    struct peer *peer = call->peer;

    peer_remove_call(peer, &call->waiting);
    if (rpc_call_is_unheard(call))
        json_object_put(answer);
    else if (call->batch)
        add_to_batch(call, answer);
    else
        peer_send(peer, answer);
    if (call->batch)
        rpc_batch_release(call->batch);
    json_object_put(call->id);
    json_object_put(call->params);
    free(call);
    connection_settle(&peer->connection);
}

void rpc_call_answer(struct rpc_call *call, struct json_object *result)
{
    finish(call, message_new_result(json_object_get(call->id), result));
}

/* The text may hold what a client or a file system gave, cut anywhere. */
static void fail_text(struct rpc_call *call, enum rpc_error_code code, struct json_object *data,
                      const char *format, va_list args)
{
    char text[ERROR_TEXT_SIZE];

    vsnprintf(text, sizeof(text), format, args);
    utf8_repair(text);
    finish(call, message_new_error(json_object_get(call->id), code, text, data));
}

void rpc_call_fail(struct rpc_call *call, enum rpc_error_code code, struct json_object *data,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_text(call, code, data, format, args);
    va_end(args);
}

void rpc_call_fail_error(struct rpc_call *call, const struct error *err, struct json_object *data)
{
    if (err->about) {
        struct json_object *value = rpc_params_value(call->table, call->params, err->about);

        if (!data)
            data = json_object_new_object();
        json_object_object_add(data, "parameter", json_object_new_string(err->about));
        if (value)
            json_object_object_add(data, "value", json_object_get(value));
    }
    rpc_call_fail(call, code_of(err->code), data, "%s", err->text);
}

#include "rpc/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/json_builder.h"
#include "protocol/limits.h"
#include "protocol/message.h"
#include "rpc/batch.h"
#include "rpc/call.h"
#include "rpc/context.h"
#include "rpc/method.h"
#include "rpc/peer.h"
#include "util/cleanup.h"

static const struct rpc_method methods[] = {
    /* name                parameters               handler                    kind */
    { "vm.start", vm_start_params, method_vm_start, RPC_ACTS },
    { "vm.stop", vm_stop_params, method_vm_stop, RPC_ACTS },
    { "vm.list", vm_list_params, method_vm_list, RPC_ASKS },
    { "vm.get", vm_params, method_vm_get, RPC_ASKS },
    { "vm.stats", vm_params, method_vm_stats, RPC_ASKS },
    { "vm.attach", vm_attach_params, method_vm_attach, RPC_STREAMS },
    { "vm.detach", subscription_params, method_vm_detach, RPC_STREAMS },
    { "vm.output", vm_output_params, method_vm_output, RPC_ASKS },
    { "vm.input", vm_input_params, method_vm_input, RPC_ACTS },
    { "vm.wait", vm_wait_params, method_vm_wait, RPC_ASKS },
    { "vm.pause", vm_params, method_vm_pause, RPC_ACTS },
    { "vm.resume", vm_params, method_vm_resume, RPC_ACTS },
    { "vm.remove", vm_params, method_vm_remove, RPC_ACTS },
    { "events.subscribe", events_subscribe_params, method_events_subscribe, RPC_STREAMS },
    { "events.unsubscribe", subscription_params, method_events_unsubscribe, RPC_STREAMS },
    { "daemon.info", no_params, method_daemon_info, RPC_ASKS },
    { "daemon.workers", no_params, method_daemon_workers, RPC_ASKS },
    { "rpc.discover", no_params, method_rpc_discover, RPC_ASKS },
};

enum { METHOD_COUNT = sizeof(methods) / sizeof(methods[0]) };

const struct rpc_method *rpc_method_at(size_t index)
{
    return index < METHOD_COUNT ? &methods[index] : NULL;
}

const struct rpc_method *rpc_method_find(const char *name)
{
    for (size_t i = 0; i < METHOD_COUNT; i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

static void send_error(struct peer *peer, enum rpc_error_code code, const char *text)
{
    peer_send(peer, message_new_error(NULL, code, text, NULL));
}

static struct json_object *fault_json(const struct rpc_param_fault *fault)
{
    struct json_object *data = json_object_new_object();

    if (fault->parameter)
        json_add_text(&data, "parameter", fault->parameter);
    if (fault->value)
        json_add(&data, "value", json_object_get(fault->value));
    return data;
}

static void fail_params(struct rpc_call *call, const struct rpc_param_fault *fault)
{
    if (fault->error.code == -ENOMEM)
        rpc_call_answer(call, NULL); /* the sentence could not be built */
    else
        rpc_call_fail_error_with(call, &fault->error, fault_json(fault));
}

static bool is_pointless(const struct rpc_method *method, const struct rpc_call *call)
{
    switch (method->kind) {
    case RPC_ACTS:
        return false;
    case RPC_ASKS:
        return rpc_call_is_unheard(call);
    case RPC_STREAMS:
        return connection_is_deaf(&call->peer->connection);
    }
    return false;
}

static void call_method(struct rpc_call *call, const struct message_request *request)
{
    _Alignas(16) char params[RPC_PARAMS_SIZE_MAX];
    const struct rpc_method *method = rpc_method_find(request->method);
    struct rpc_param_fault fault;

    if (!method) {
        rpc_call_fail(call, RPC_METHOD_NOT_FOUND,
                      "there is no method '%.64s'; rpc.discover lists them", request->method);
        return;
    }
    if (call->peer->call_count > PEER_CALLS_MAX) {
        rpc_call_fail(call, RPC_LIMIT_REACHED,
                      "this connection waits for %d answers, as many as one may", PEER_CALLS_MAX);
        return;
    }
    if (is_pointless(method, call)) {
        rpc_call_forget(call);
        return;
    }
    call->table = method->params;
    call->params = json_object_get(request->params);
    if (rpc_params_read(method->params, request->params, call->peer->context->registry, params,
                        sizeof(params), &fault) < 0)
        fail_params(call, &fault);
    else
        method->call(call, params);
}

/* One request, alone or of a batch. An error before there is a call is answered all the same. */
static void dispatch_request(struct peer *peer, struct json_object *value, struct rpc_batch *batch)
{
    struct message_request request;
    struct rpc_call *call;
    const char *why;
    bool valid = message_read_request(value, &request, &why) == 0;

    /* what is not a valid request is no notification either (section 4.1): it gets its error */
    call = rpc_call_new(peer, json_object_get(request.id), valid && !request.has_id, batch);
    if (!call)
        peer_fail(peer);
    else if (valid)
        call_method(call, &request);
    else
        rpc_call_fail(call, RPC_INVALID_REQUEST, "%s", why);
}

/* Takes values. */
static void begin_batch(struct peer *peer, struct json_object *values)
{
    size_t count = json_object_array_length(values);
    char text[96];

    if (count == 0) { /* section 6 */
        send_error(peer, RPC_INVALID_REQUEST, "a batch must hold at least one request");
        json_object_put(values);
    } else if (count > PROTOCOL_BATCH_MAX) {
        snprintf(text, sizeof(text), "a batch may hold %d requests, not %zu", PROTOCOL_BATCH_MAX,
                 count);
        send_error(peer, RPC_INVALID_REQUEST, text);
        json_object_put(values);
    } else {
        peer->batch = rpc_batch_new(peer, values);
        if (!peer->batch)
            peer_fail(peer);
    }
}

void dispatch_next_of_batch(struct peer *peer)
{
    struct rpc_batch *batch = peer->batch;

    dispatch_request(peer, json_object_array_get_idx(batch->requests, batch->next++), batch);
    if (batch->next == json_object_array_length(batch->requests))
        rpc_batch_release(TAKE_PTR(peer->batch));
}

void dispatch_end_batch(struct peer *peer)
{
    rpc_batch_release(TAKE_PTR(peer->batch));
}

void dispatch_line(struct peer *peer, const char *text, size_t length)
{
    struct json_text_fault fault;
    struct json_object *value = NULL;
    char why[192];
    int r = message_parse(text, length, &value, &fault);

    if (r == -ENOMEM) {
        peer_fail(peer);
        return;
    }
    if (r < 0) {
        snprintf(why, sizeof(why), "the line is not JSON: %s, at byte %zu", fault.what,
                 fault.offset);
        send_error(peer, RPC_PARSE_ERROR, why);
        return;
    }
    if (json_object_is_type(value, json_type_array)) {
        begin_batch(peer, value);
        return;
    }
    dispatch_request(peer, value, NULL);
    json_object_put(value);
}

void dispatch_refuse_line(struct peer *peer, size_t limit)
{
    char text[96];

    snprintf(text, sizeof(text), "the line is longer than %zu bytes, the most that is read", limit);
    send_error(peer, RPC_PARSE_ERROR, text);
}

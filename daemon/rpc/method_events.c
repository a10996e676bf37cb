/*
 * Methods of events: subscribe, unsubscribe.
 */
#include <json-c/json.h>

#include "protocol/json_builder.h"
#include "rpc/call.h"
#include "rpc/event_stream.h"
#include "rpc/method.h"
#include "rpc/subscription.h"

struct events_params {
    struct vm *vm;
};

const struct rpc_param events_subscribe_params[] = {
    { "vm", RPC_VM, offsetof(struct events_params, vm), .requirement = RPC_OPTIONAL },
    RPC_PARAMS_END,
};

void method_events_subscribe(struct rpc_call *call, const void *context)
{
    const struct events_params *params = context;
    struct subscription *subscription;
    struct json_object *result;
    struct error err;

    if (event_stream_new(call->peer, params->vm, &subscription, &err) < 0) {
        rpc_call_fail_error(call, &err);
        return;
    }
    result = json_object_new_object();
    json_add_unsigned(&result, "subscription", subscription->id);
    rpc_call_answer(call, result);
}

void method_events_unsubscribe(struct rpc_call *call, const void *params)
{
    subscription_end_by_call(call, &event_stream_kind, *(const uint64_t *)params);
}

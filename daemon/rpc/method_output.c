/*
 * Methods of a VM's output: attach, detach, output.
 */
#include <errno.h>
#include <inttypes.h>

#include <json-c/json.h>

#include "protocol/json_builder.h"
#include "protocol/limits.h"
#include "rpc/call.h"
#include "rpc/method.h"
#include "rpc/output_stream.h"
#include "rpc/output_text.h"
#include "rpc/subscription.h"
#include "vm/vm.h"

struct attach_params {
    struct vm *vm;
    struct rpc_position from;
    unsigned encoding;
};

const struct rpc_param vm_attach_params[] = {
    { "vm", RPC_VM, offsetof(struct attach_params, vm), .requirement = RPC_REQUIRED },
    { "from", RPC_POSITION, offsetof(struct attach_params, from), .requirement = RPC_OPTIONAL },
    { "encoding", RPC_WORD, offsetof(struct attach_params, encoding), .requirement = RPC_OPTIONAL,
      .words = output_encoding_words, .fallback = OUTPUT_BASE64 },
    RPC_PARAMS_END,
};

void method_vm_attach(struct rpc_call *call, const void *context)
{
    const struct attach_params *params = context;
    struct subscription *subscription;
    struct json_object *result;
    struct error err;
    uint64_t offset;
    int r;

    r = rpc_position_resolve(&params->from, params->vm, &offset, &err);
    if (r == 0)
        r = output_stream_new(call->peer, params->vm, offset,
                              (enum output_encoding)params->encoding, &subscription, &err);
    if (r < 0) {
        rpc_call_fail_error(call, &err);
        return;
    }
    result = json_object_new_object();
    json_add_unsigned(&result, "subscription", subscription->id);
    json_add_unsigned(&result, "offset", offset);
    rpc_call_answer(call, result);
    output_stream_start(subscription); /* after the answer, so that its id is known */
}

struct subscription_id_params {
    uint64_t subscription;
};

const struct rpc_param subscription_params[] = {
    { "subscription", RPC_UINT, offsetof(struct subscription_id_params, subscription),
      .requirement = RPC_REQUIRED, .min = 1, .max = INT64_MAX },
    RPC_PARAMS_END,
};

void method_vm_detach(struct rpc_call *call, const void *context)
{
    const struct subscription_id_params *params = context;

    subscription_end_by_call(call, &output_stream_kind, params->subscription);
}

struct output_params {
    struct vm *vm;
    struct rpc_position from;
    uint64_t max;
    unsigned encoding;
};

const struct rpc_param vm_output_params[] = {
    { "vm", RPC_VM, offsetof(struct output_params, vm), .requirement = RPC_REQUIRED },
    { "from", RPC_POSITION, offsetof(struct output_params, from), .requirement = RPC_OPTIONAL },
    { "max", RPC_UINT, offsetof(struct output_params, max), .requirement = RPC_OPTIONAL, .min = 1,
      .max = PROTOCOL_OUTPUT_MAX, .fallback = PROTOCOL_OUTPUT_MAX },
    { "encoding", RPC_WORD, offsetof(struct output_params, encoding), .requirement = RPC_OPTIONAL,
      .words = output_encoding_words, .fallback = OUTPUT_BASE64 },
    RPC_PARAMS_END,
};

void method_vm_output(struct rpc_call *call, const void *context)
{
    const struct output_params *params = context;
    const struct output_ring *ring = vm_ring(params->vm);
    bool ended = vm_has_ended(params->vm);
    unsigned char data[PROTOCOL_OUTPUT_MAX];
    struct output_chunk chunk = { 0 };
    struct json_object *result, *text;
    uint64_t offset, end;
    struct error err;
    bool last;
    size_t used;

    if (rpc_position_resolve(&params->from, params->vm, &offset, &err) < 0) {
        rpc_call_fail_error(call, &err);
        return;
    }
    if (ring)
        output_ring_read(ring, offset, data, params->max, &chunk);
    end = ring ? output_ring_end(ring) : 0;
    last = ended && chunk.start + chunk.length == end;
    text = output_text_new((enum output_encoding)params->encoding, data, chunk.length, last, &used);
    if (used == 0 && chunk.length == params->max) { /* max is less than a whole character */
        json_object_put(text);
        text = output_text_new((enum output_encoding)params->encoding, data, chunk.length, true,
                               &used);
    }

    result = json_object_new_object();
    json_add_unsigned(&result, "offset", chunk.start);
    if (chunk.start > offset)
        json_add_unsigned(&result, "lost", chunk.start - offset);
    json_add(&result, "data", text);
    json_add_unsigned(&result, "next", chunk.start + used);
    json_add_boolean(&result, "end", last);
    rpc_call_answer(call, result);
}

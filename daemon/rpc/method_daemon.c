/*
 * Methods of the daemon itself: info, and the description of all methods.
 */
#include <unistd.h>

#include <json-c/json.h>

#include "kvm/arch.h"
#include "protocol/limits.h"
#include "protocol/openrpc.h"
#include "rpc/call.h"
#include "rpc/context.h"
#include "rpc/method.h"
#include "rpc/record_json.h"
#include "util/clock.h"

const struct rpc_param no_params[] = { RPC_PARAMS_END };

static void add_number(struct json_object *object, const char *name, uint64_t number)
{
    json_object_object_add(object, name, json_object_new_uint64(number));
}

static struct json_object *kvm_json(const struct kvm_host *host)
{
    struct json_object *object = json_object_new_object(), *capabilities = json_object_new_object();

    add_number(object, "api_version", (uint64_t)host->api_version);
    for (size_t i = 0; i < host->capability_count; i++)
        json_object_object_add(capabilities, host->capabilities[i].capability->name,
                               json_object_new_int(host->capabilities[i].value));
    json_object_object_add(object, "capabilities", capabilities);
    return object;
}

static struct json_object *limits_json(const struct rpc_context *context)
{
    struct json_object *object = json_object_new_object();
    const struct vm_limits *limits = context->vm_limits;

    add_number(object, "max-vms", limits->max_vms);
    add_number(object, "max-connections", context->limits->max_connections);
    add_number(object, "memory", limits->memory);
    add_number(object, "max-memory", limits->max_memory);
    add_number(object, "ring", limits->ring);
    add_number(object, "max-ring", limits->max_ring);
    add_number(object, "retain", limits->retain);
    return object;
}

static struct json_object *counts_json(const struct rpc_context *context)
{
    struct registry_counts counts = registry_counts(context->registry);
    struct json_object *object = json_object_new_object();

    add_number(object, "vms_live", counts.live);
    add_number(object, "vms_ended", counts.ended);
    add_number(object, "connections", context->connection_count);
    add_number(object, "subscriptions", context->subscription_count);
    return object;
}

void method_daemon_info(struct rpc_call *call, const void *params)
{
    const struct rpc_context *context = call->peer->context;
    struct json_object *info = json_object_new_object();

    (void)params;
    json_object_object_add(info, "version", json_object_new_string(VMMD_VERSION));
    add_number(info, "protocol", PROTOCOL_VERSION);
    json_object_object_add(info, "architecture", json_object_new_string(arch_name));
    add_number(info, "pid", (uint64_t)getpid());
    add_number(info, "uid", geteuid());
    json_object_object_add(info, "started", time_json(context->started_ns));
    add_number(info, "uptime_ns", (uint64_t)(clock_monotonic_ns() - context->started_mono_ns));
    json_object_object_add(info, "state_dir",
                           json_object_new_string(registry_state_dir(context->registry)));
    json_object_object_add(info, "kvm", kvm_json(context->host));
    json_object_object_add(info, "limits", limits_json(context));
    json_object_object_add(info, "counts", counts_json(context));
    rpc_call_answer(call, info);
}

void method_rpc_discover(struct rpc_call *call, const void *params)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *document = NULL;

    (void)params;
    if (tokener)
        document =
            json_tokener_parse_ex(tokener, openrpc_json, (int)(openrpc_json_end - openrpc_json));
    json_tokener_free(tokener);
    rpc_call_answer(call, document);
}

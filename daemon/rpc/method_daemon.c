/*
 * Methods of the daemon itself: info, and the description of all methods.
 */
#include <unistd.h>

#include <json-c/json.h>

#include "protocol/json_builder.h"
#include "protocol/json_reader.h"
#include "protocol/limits.h"
#include "protocol/openrpc.h"
#include "rpc/call.h"
#include "rpc/context.h"
#include "rpc/method.h"
#include "rpc/record_json.h"
#include "util/clock.h"

const struct rpc_param no_params[] = { RPC_PARAMS_END };

/* As the first worker found it: the daemon itself has no business with KVM. */
static struct json_object *kvm_json(const struct link_worker_greeting *greeting)
{
    struct json_object *object = json_object_new_object(), *capabilities = json_object_new_object();

    json_add_unsigned(&object, "api_version", greeting->api_version);
    for (size_t i = 0; i < greeting->capability_count; i++)
        json_add_unsigned(&capabilities, greeting->capabilities[i].name,
                          greeting->capabilities[i].value);
    json_add(&object, "capabilities", capabilities);
    return object;
}

static struct json_object *limits_json(const struct rpc_context *context)
{
    struct json_object *object = json_object_new_object();
    const struct vm_limits *limits = context->vm_limits;

    json_add_unsigned(&object, "max-vms", limits->max_vms);
    json_add_unsigned(&object, "max-connections", context->limits->max_connections);
    json_add_unsigned(&object, "memory", limits->memory);
    json_add_unsigned(&object, "max-memory", limits->max_memory);
    json_add_unsigned(&object, "ring", limits->ring);
    json_add_unsigned(&object, "max-ring", limits->max_ring);
    json_add_unsigned(&object, "retain", limits->retain);
    return object;
}

static struct json_object *counts_json(const struct rpc_context *context)
{
    struct registry_counts counts = registry_counts(context->registry);
    struct json_object *object = json_object_new_object();

    json_add_unsigned(&object, "vms_live", counts.live);
    json_add_unsigned(&object, "vms_ended", counts.ended);
    json_add_unsigned(&object, "connections", context->connection_count);
    json_add_unsigned(&object, "subscriptions", context->subscription_count);
    return object;
}

void method_daemon_info(struct rpc_call *call, const void *params)
{
    const struct rpc_context *context = call->peer->context;
    const struct link_worker_greeting *greeting =
        worker_pool_greeting(registry_workers(context->registry));
    struct json_object *info = json_object_new_object();

    (void)params;
    json_add_text(&info, "version", VMMD_VERSION);
    json_add_unsigned(&info, "protocol", PROTOCOL_VERSION);
    json_add_text(&info, "architecture", greeting->architecture);
    json_add_unsigned(&info, "pid", (uint64_t)getpid());
    json_add_unsigned(&info, "uid", geteuid());
    record_json_add_time(&info, "started", context->started_ns);
    json_add_unsigned(&info, "uptime_ns",
                      (uint64_t)(clock_monotonic_ns() - context->started_mono_ns));
    json_add_text(&info, "state_dir", registry_state_dir(context->registry));
    json_add(&info, "kvm", kvm_json(greeting));
    json_add(&info, "limits", limits_json(context));
    json_add(&info, "counts", counts_json(context));
    rpc_call_answer(call, info);
}

static const char *role_word(enum worker_role role)
{
    static const char *const words[] = {
        [WORKER_SPARE] = "spare",
        [WORKER_RUNS] = "runs",
        [WORKER_RECEIVES] = "receives",
    };

    return words[role];
}

static struct json_object *worker_json(const struct worker *worker)
{
    struct json_object *object = json_object_new_object(), *vms = json_object_new_array();

    json_add_unsigned(&object, "number", worker->number);
    json_add_unsigned(&object, "pid", (uint64_t)worker_pid(worker));
    json_add_text(&object, "role", role_word(worker->role));
    if (worker->role == WORKER_SPARE)
        json_add_null(&object, "uid");
    else
        json_add_unsigned(&object, "uid", worker->uid);
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        if (worker->vms[slot])
            json_append(&vms, json_object_new_uint64(vm_id(worker->vms[slot])));
    json_add(&object, "vms", vms);
    json_add_text(&object, "version", worker->greeting.software);
    json_add_unsigned(&object, "protocol", worker->greeting.version);
    json_add_boolean(&object, "answers", !worker_is_silent(worker));
    json_add_boolean(&object, "takes_more", !worker->tainted);
    return object;
}

void method_daemon_workers(struct rpc_call *call, const void *params)
{
    const struct worker_pool *pool = registry_workers(call->peer->context->registry);
    struct json_object *workers = json_object_new_array();

    (void)params;
    worker_pool_probe(pool);
    LIST_FOR_EACH(worker_pool_workers(pool), link)
        json_append(&workers, worker_json(LIST_ENTRY(link, struct worker, link)));
    rpc_call_answer(call, workers);
}

void method_rpc_discover(struct rpc_call *call, const void *params)
{
    struct json_object *document = NULL;

    (void)params;
    /* a unit test checks the document, as json_read() wants it */
    if (json_read(openrpc_json, (size_t)(openrpc_json_end - openrpc_json), &document) < 0)
        document = NULL;
    rpc_call_answer(call, document);
}

#include "rpc/event_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "protocol/json_builder.h"
#include "protocol/message.h"
#include "rpc/context.h"
#include "rpc/record_json.h"
#include "vm/vm.h"

struct event_stream {
    struct subscription subscription;
    struct vm_observer observer;
    struct vm *vm; /* NULL: all */
};

static struct json_object *state_params(const struct event_stream *stream, const struct vm *vm)
{
    struct json_object *params = json_object_new_object();

    json_add_unsigned(&params, "subscription", stream->subscription.id);
    json_add_unsigned(&params, "vm", vm_id(vm));
    json_add_text(&params, "name", vm_name(vm));
    json_add_text(&params, "state", vm_state_to_string(vm_state(vm)));
    if (vm_has_ended(vm))
        json_add(&params, "exit", record_json_exit(vm_record(vm)));
    return params;
}

static void disconnect(struct peer *peer)
{
    if (log_limit_allows(&peer->context->log_limit))
        log_warning("a client (uid %" PRIu32 ", pid %" PRId32
                    ") does not read its events: %zu bytes of them wait, disconnecting it",
                    peer->credentials.uid, peer->credentials.pid,
                    connection_events_queued(&peer->connection));
    connection_drop(&peer->connection);
}

static void on_notice(struct vm_observer *observer, struct vm *vm, unsigned notice)
{
    struct event_stream *stream = LIST_ENTRY(observer, struct event_stream, observer);
    struct peer *peer = stream->subscription.peer;

    if (!(notice & VM_NOTICE_STATE) || connection_is_doomed(&peer->connection))
        return;
    if (connection_events_queued(&peer->connection) > CONNECTION_EVENTS_MAX)
        disconnect(peer);
    else
        peer_notify_event(peer, "vm.state", state_params(stream, vm));
}

static void free_stream(struct subscription *subscription)
{
    struct event_stream *stream = LIST_ENTRY(subscription, struct event_stream, subscription);

    vm_unobserve(&stream->observer);
    if (stream->vm)
        vm_unref(stream->vm);
    free(stream);
}

const struct subscription_kind event_stream_kind = { .free = free_stream };

int event_stream_new(struct peer *peer, struct vm *vm, struct subscription **ret, struct error *err)
{
    struct event_stream *stream = calloc(1, sizeof(*stream));
    int r;

    if (!stream)
        return error_set(err, -ENOMEM, "out of memory");
    r = peer_subscribe(peer, &stream->subscription, &event_stream_kind, err);
    if (r < 0) {
        free(stream);
        return r;
    }
    stream->observer.notify = on_notice;
    if (vm) {
        stream->vm = vm_ref(vm);
        vm_observe(vm, &stream->observer);
    } else {
        registry_observe(peer->context->registry, &stream->observer);
    }
    *ret = &stream->subscription;
    return 0;
}

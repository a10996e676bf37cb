#include "rpc/output_stream.h"

#include <errno.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "protocol/json_builder.h"
#include "protocol/limits.h"
#include "protocol/message.h"
#include "rpc/record_json.h"
#include "vm/vm.h"

struct output_stream {
    struct subscription subscription;
    struct vm_observer observer;
    struct vm *vm;
    uint64_t position; /* of the next byte to send */
    uint64_t lost;     /* bytes before it that the reader has not been told of */
    enum output_encoding encoding;
    bool started;
};

static struct json_object *new_params(const struct output_stream *stream, uint64_t offset)
{
    struct json_object *params = json_object_new_object();

    json_add_unsigned(&params, "subscription", stream->subscription.id);
    json_add_unsigned(&params, "vm", vm_id(stream->vm));
    json_add_unsigned(&params, "offset", offset);
    return params;
}

/* Takes text. */
static void send_chunk(struct output_stream *stream, struct json_object *text)
{
    struct json_object *params = new_params(stream, stream->position);

    if (stream->lost > 0)
        json_add_unsigned(&params, "lost", stream->lost);
    stream->lost = 0;
    json_add(&params, "data", text);
    peer_notify(stream->subscription.peer, "vm.output", params);
}

static void send_exited(struct output_stream *stream)
{
    struct json_object *params = new_params(stream, stream->position);

    json_add(&params, "exit", record_json_exit(vm_record(stream->vm)));
    peer_notify(stream->subscription.peer, "vm.exited", params);
}

/* Sends one message of output; false: there is none to send now. */
static bool send_some(struct output_stream *stream)
{
    const struct output_ring *ring = vm_ring(stream->vm);
    unsigned char data[PROTOCOL_OUTPUT_MAX];
    struct output_chunk chunk;
    struct json_object *text;
    bool final;
    size_t used;

    if (!ring || output_ring_read(ring, stream->position, data, sizeof(data), &chunk) < 0)
        return false;
    stream->lost += chunk.start - stream->position;
    stream->position = chunk.start;
    final = vm_has_ended(stream->vm) && chunk.start + chunk.length == output_ring_end(ring);
    text = output_text_new(stream->encoding, data, chunk.length, final, &used);
    if (used == 0) { /* nothing, or not yet a whole character */
        json_object_put(text);
        return false;
    }
    send_chunk(stream, text);
    stream->position += used;
    return true;
}

static bool is_at_end(const struct output_stream *stream)
{
    const struct output_ring *ring = vm_ring(stream->vm);

    return vm_has_ended(stream->vm) && (!ring || stream->position == output_ring_end(ring));
}

static void top_up(struct subscription *subscription)
{
    struct output_stream *stream = LIST_ENTRY(subscription, struct output_stream, subscription);
    const struct connection *connection = &subscription->peer->connection;
    bool more = true;

    if (!stream->started)
        return;
    while (more && connection_queued(connection) < CONNECTION_QUEUE_LOW &&
           !connection_is_doomed(connection))
        more = send_some(stream);
    /* of a VM that has ended nothing more comes, whatever its ring's counters say */
    if (is_at_end(stream) || (!more && vm_has_ended(stream->vm))) {
        send_exited(stream);
        subscription_end(subscription);
    }
}

static void on_notice(struct vm_observer *observer, struct vm *vm, unsigned notice)
{
    (void)vm, (void)notice;
    top_up(&LIST_ENTRY(observer, struct output_stream, observer)->subscription);
}

static void free_stream(struct subscription *subscription)
{
    struct output_stream *stream = LIST_ENTRY(subscription, struct output_stream, subscription);

    vm_unobserve(&stream->observer);
    vm_unwatch_output(stream->vm);
    vm_unref(stream->vm);
    free(stream);
}

const struct subscription_kind output_stream_kind = {
    .top_up = top_up,
    .free = free_stream,
};

int output_stream_new(struct peer *peer, struct vm *vm, uint64_t offset,
                      enum output_encoding encoding, struct subscription **ret, struct error *err)
{
    struct output_stream *stream = calloc(1, sizeof(*stream));
    int r;

    if (!stream)
        return error_set(err, -ENOMEM, "out of memory");
    r = peer_subscribe(peer, &stream->subscription, &output_stream_kind, err);
    if (r < 0) {
        free(stream);
        return r;
    }
    stream->observer.notify = on_notice;
    stream->vm = vm_ref(vm);
    stream->position = offset;
    stream->encoding = encoding;
    vm_observe(vm, &stream->observer);
    *ret = &stream->subscription;
    return 0;
}

void output_stream_start(struct subscription *subscription)
{
    struct output_stream *stream = LIST_ENTRY(subscription, struct output_stream, subscription);

    stream->started = true;
    vm_watch_output(stream->vm);
    top_up(subscription);
}

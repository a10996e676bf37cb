#include "rpc/peer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <json-c/json.h>

#include "protocol/json_builder.h"
#include "protocol/message.h"
#include "rpc/context.h"
#include "util/cleanup.h"
#include "util/log.h"

static const char *const reason_words[] = {
    [SUBSCRIPTION_RESTARTING] = "restarting",
    [SUBSCRIPTION_STOPPING] = "stopping",
};

static_assert(sizeof(reason_words) / sizeof(reason_words[0]) == SUBSCRIPTION_REASON_COUNT,
              "a word for each reason");

static void read_credentials(int fd, struct vm_peer *ret)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);

    *ret = (struct vm_peer){ .uid = (uint32_t)-1, .gid = (uint32_t)-1 };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0)
        *ret = (struct vm_peer){ .uid = credentials.uid,
                                 .gid = credentials.gid,
                                 .pid = credentials.pid };
}

/* Messages. */

void peer_fail(struct peer *peer)
{
    if (connection_is_doomed(&peer->connection))
        return;
    if (log_limit_allows(&peer->context->log_limit))
        log_warning("no memory to go on with a client (uid %" PRIu32 ", pid %" PRId32
                    "), disconnecting it",
                    peer->credentials.uid, peer->credentials.pid);
    connection_drop(&peer->connection);
}

void peer_send(struct peer *peer, struct json_object *message)
{
    size_t length;
    _cleanup_free_ char *line = message_line(message, &length);

    json_object_put(message);
    if (!line || connection_send(&peer->connection, line, length) < 0)
        peer_fail(peer);
}

static struct json_object *new_notification(const char *method, struct json_object *params)
{
    return params ? message_new_notification(method, params) : NULL;
}

void peer_notify(struct peer *peer, const char *method, struct json_object *params)
{
    peer_send(peer, new_notification(method, params));
}

void peer_notify_event(struct peer *peer, const char *method, struct json_object *params)
{
    struct json_object *message = new_notification(method, params);
    size_t length;
    char *line = message_line(message, &length);

    json_object_put(message);
    if (!line || connection_send_event(&peer->connection, line, length) < 0)
        peer_fail(peer);
}

bool peer_is_drained(const struct peer *peer, bool of_calls)
{
    return connection_queued(&peer->connection) == 0 &&
           (!of_calls || (peer->call_count == 0 && !peer->batch));
}

/* Calls. */

void peer_add_call(struct peer *peer, struct peer_call *call)
{
    list_append(&peer->calls, &call->link);
    peer->call_count++;
}

void peer_remove_call(struct peer *peer, struct peer_call *call)
{
    list_remove(&call->link);
    peer->call_count--;
}

/* Subscriptions. */

int peer_subscribe(struct peer *peer, struct subscription *subscription,
                   const struct subscription_kind *kind, struct error *err)
{
    if (peer->subscription_count >= PEER_SUBSCRIPTIONS_MAX)
        return error_set(err, -EDQUOT,
                         "this connection has %d subscriptions, as many as one may have",
                         PEER_SUBSCRIPTIONS_MAX);
    subscription->kind = kind;
    subscription->peer = peer;
    subscription->id = peer->next_subscription++;
    list_append(&peer->subscriptions, &subscription->link);
    peer->subscription_count++;
    peer->context->subscription_count++;
    return 0;
}

struct subscription *peer_find_subscription(const struct peer *peer,
                                            const struct subscription_kind *kind, uint64_t id)
{
    LIST_FOR_EACH(&peer->subscriptions, link) {
        struct subscription *subscription = LIST_ENTRY(link, struct subscription, link);

        if (subscription->kind == kind && subscription->id == id)
            return subscription;
    }
    return NULL;
}

void subscription_end(struct subscription *subscription)
{
    struct peer *peer = subscription->peer;

    list_remove(&subscription->link);
    peer->subscription_count--;
    peer->context->subscription_count--;
    subscription->kind->free(subscription);
    connection_settle(&peer->connection);
}

static void tell_end(struct subscription *subscription, enum subscription_reason reason)
{
    struct json_object *params = json_object_new_object();

    json_add_unsigned(&params, "subscription", subscription->id);
    json_add_text(&params, "reason", reason_words[reason]);
    peer_notify(subscription->peer, "subscription.ended", params);
}

void peer_end_subscriptions(struct peer *peer, enum subscription_reason reason)
{
    while (!list_is_empty(&peer->subscriptions)) {
        struct subscription *subscription =
            LIST_ENTRY(peer->subscriptions.next, struct subscription, link);

        tell_end(subscription, reason);
        subscription_end(subscription);
    }
}

/* Ends what waits to tell the client something. */
static void end_waiting(struct peer *peer)
{
    while (!list_is_empty(&peer->subscriptions))
        subscription_end(LIST_ENTRY(peer->subscriptions.next, struct subscription, link));
    while (!list_is_empty(&peer->calls)) {
        struct peer_call *call = LIST_ENTRY(peer->calls.next, struct peer_call, link);

        call->cancel(call->context); /* only calls that wait are still there */
    }
}

/* What the connection asks and tells. */

static void handle_line(struct peer *peer, const struct line *line)
{
    if (line->kind == LINE_TOO_LONG)
        peer->owner->line_too_long(peer, PROTOCOL_LINE_MAX);
    else if (line->length > 0)
        peer->owner->line(peer, line->text, line->length);
}

/* The next request is in a line, or of a batch. */
static bool on_work(void *context)
{
    struct peer *peer = context;
    struct line line;

    if (peer->batch)
        peer->owner->next_of_batch(peer);
    else if (connection_next_line(&peer->connection, &line))
        handle_line(peer, &line);
    else
        return false;
    if (!peer->batch)
        connection_end_line(&peer->connection);
    return true;
}

/* Descriptors. */

static void on_delivered(void *context, bool failed)
{
    struct peer *peer = context;

    connection_received(&peer->connection, failed);
}

static int on_receive(void *context, int fd, uint64_t length, uint64_t until, struct delivery **ret)
{
    struct peer *peer = context;
    struct error err;
    int r = worker_pool_receive(registry_receivers(peer->context->registry), peer->credentials.uid,
                                peer->number, fd, length, until, on_delivered, peer, ret, &err);

    if (r < 0 && log_limit_allows(&peer->context->log_limit))
        log_warning("%s, disconnecting a client (uid %" PRIu32 ", pid %" PRId32 ")", err.text,
                    peer->credentials.uid, peer->credentials.pid);
    return r;
}

static void on_forget(void *context, struct delivery *delivery, uint64_t until)
{
    (void)context;
    delivery_forget(delivery, until);
}

static void on_ignore(void *context, struct delivery *delivery)
{
    (void)context;
    delivery_ignore(delivery);
}

int peer_supply(struct peer *peer, uint32_t source, int supply_fd, struct error *err)
{
    struct delivery *delivery = connection_delivery(&peer->connection);

    if (!delivery)
        return error_set(err, -EINVAL, "no descriptor came with the line");
    return delivery_supply(delivery, source, supply_fd, err);
}

/* Streams go on. */
static void on_room(void *context)
{
    struct peer *peer = context;
    struct list waiting; /* as in vm_observers_notify(): each may end itself */

    list_init(&waiting);
    list_move_all(&peer->subscriptions, &waiting);
    while (!list_is_empty(&waiting)) {
        struct subscription *subscription = LIST_ENTRY(waiting.next, struct subscription, link);

        list_remove(&subscription->link);
        list_append(&peer->subscriptions, &subscription->link);
        if (subscription->kind->top_up)
            subscription->kind->top_up(subscription);
    }
}

static void on_deaf(void *context)
{
    end_waiting(context);
}

static void on_failed(void *context)
{
    peer_fail(context);
}

static bool is_owed(const void *context)
{
    const struct peer *peer = context;

    return peer->call_count > 0 || peer->subscription_count > 0;
}

static void on_closed(void *context)
{
    struct peer *peer = context;

    end_waiting(peer);
    if (peer->batch)
        peer->owner->end_batch(peer);
    peer->owner->closed(peer, peer->owner->context);
}

/* Coming and going. */

struct peer *peer_new(struct rpc_context *context, const struct peer_owner *owner, int fd)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    const struct connection_owner connection_owner = {
        .receive = on_receive,
        .forget = on_forget,
        .ignore = on_ignore,
        .work = on_work,
        .room = on_room,
        .deaf = on_deaf,
        .is_owed = is_owed,
        .failed = on_failed,
        .closed = on_closed,
        .context = peer,
    };

    if (!peer) {
        close(fd);
        return NULL;
    }
    list_init(&peer->link);
    peer->context = context;
    peer->owner = owner;
    peer->number = context->next_peer++;
    peer->next_subscription = 1;
    list_init(&peer->calls);
    list_init(&peer->subscriptions);
    read_credentials(fd, &peer->credentials);
    if (connection_init(&peer->connection, context->base, context->closer, fd, &connection_owner) <
        0) {
        free(peer);
        return NULL;
    }
    return peer;
}

void peer_free(struct peer *peer)
{
    connection_deinit(&peer->connection);
    free(peer);
}

void peer_close(struct peer *peer)
{
    connection_close(&peer->connection);
}

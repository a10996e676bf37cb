/*
 * Peer: one client, and what is under way for it: calls, a batch, subscriptions.
 *
 * Its connection knows bytes, a peer knows messages. What its lines ask for is not the peer's to
 * say: it hands them up to its owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/connection.h"
#include "shared/vm_record.h"
#include "util/error.h"
#include "util/list.h"

struct json_object;
struct peer;
struct rpc_batch;
struct rpc_context;

enum {
    PEER_CALLS_MAX = 1024, /* requests not answered yet */
    PEER_SUBSCRIPTIONS_MAX = 256,
};

/* Who makes the requests in a peer's lines, and who keeps the peer. */
struct peer_owner {
    /* A line, of at least a byte: makes a request, or sets peer->batch. */
    void (*line)(struct peer *peer, const char *text, size_t length);
    void (*line_too_long)(struct peer *peer, size_t limit);
    /* Makes the next request of peer->batch, which is NULL after the last. */
    void (*next_of_batch)(struct peer *peer);
    /* The requests that are left of peer->batch will not be made. */
    void (*end_batch)(struct peer *peer);
    /* The client is gone, or was closed. peer_free() is owed, but not from here. */
    void (*closed)(struct peer *peer, void *context);
    void *context;
};

/* An answer that the client waits for; embedded in the call. */
struct peer_call {
    struct list link;              /* among the peer's */
    void (*cancel)(void *context); /* its client is gone: the call is to come to an end now */
    void *context;
};

/* A stream of notifications; embedded in each kind of stream. */
struct subscription {
    const struct subscription_kind *kind;
    struct list link; /* among the peer's */
    struct peer *peer;
    uint64_t id; /* unique of the peer */
};

/* Why the daemon ends streams that have not come to their end. */
enum subscription_reason {
    SUBSCRIPTION_RESTARTING, /* another daemon takes over: it pays to come back */
    SUBSCRIPTION_STOPPING,   /* to come back would be to start it again */
};

enum { SUBSCRIPTION_REASON_COUNT = SUBSCRIPTION_STOPPING + 1 };

struct subscription_kind {
    /* There is room in the connection's queue again; may end the subscription. Or NULL. */
    void (*top_up)(struct subscription *subscription);
    /* Releases what the stream holds, and the stream itself. */
    void (*free)(struct subscription *subscription);
};

struct peer {
    struct list link; /* its owner's */
    struct rpc_context *context;
    const struct peer_owner *owner;
    struct vm_peer credentials;
    uint64_t number; /* unique among peers */
    struct connection connection;
    struct rpc_batch *batch; /* some of its requests have not been made yet; or NULL */
    size_t batched;          /* bytes of answers that wait for the rest of their batch */
    struct list calls;       /* peer_call.link */
    size_t call_count;
    struct list subscriptions; /* subscription.link */
    size_t subscription_count;
    uint64_t next_subscription;
};

/* Takes fd, nonblocking. context and owner must outlive the peer. Errors: NULL, out of memory. */
struct peer *peer_new(struct rpc_context *context, const struct peer_owner *owner, int fd);

/* Of a peer that is closed. */
void peer_free(struct peer *peer);

/* Drops the client: calls, subscriptions and what is queued. */
void peer_close(struct peer *peer);

/* Whether all that the client was told is on its way; of_calls: and no answer is owed to it. */
bool peer_is_drained(const struct peer *peer, bool of_calls);

/* There is no memory for what the client is to be told: it is dropped, in the next turn of the
 * loop, with a line in the log. Better a client that knows it has missed something than one that
 * does not. */
void peer_fail(struct peer *peer);

/* Queues one message and its LF. Takes message; NULL: it could not be built, and the peer fails. */
void peer_send(struct peer *peer, struct json_object *message);

/* Queues a notification. Takes params; NULL: they could not be built, and the peer fails. */
void peer_notify(struct peer *peer, const char *method, struct json_object *params);

/* The same, of an event: see connection_send_event(). */
void peer_notify_event(struct peer *peer, const char *method, struct json_object *params);

/* Has the next descriptor that came with the line in work sent by supply_fd, as that source of a
 * VM. Errors: -EINVAL (none came), -EAGAIN (what received it is gone). */
int peer_supply(struct peer *peer, uint32_t source, int supply_fd, struct error *err);

/* The client waits for an answer, and does not any more. */
void peer_add_call(struct peer *peer, struct peer_call *call);
void peer_remove_call(struct peer *peer, struct peer_call *call);

/* Adds a subscription. Errors: -EDQUOT (it has too many). */
int peer_subscribe(struct peer *peer, struct subscription *subscription,
                   const struct subscription_kind *kind, struct error *err);

/* Its subscription of that kind and id, or NULL. */
struct subscription *peer_find_subscription(const struct peer *peer,
                                            const struct subscription_kind *kind, uint64_t id);

/* Takes it from its peer and frees it. */
void subscription_end(struct subscription *subscription);

/* Ends all of them, each with a last line that says why. */
void peer_end_subscriptions(struct peer *peer, enum subscription_reason reason);

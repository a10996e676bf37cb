/*
 * Subscription: a stream of notifications to one connection; embedded in each kind of stream.
 */
#pragma once

#include <stdint.h>

#include "util/error.h"
#include "util/list.h"

struct connection;
struct rpc_call;
struct subscription;

struct subscription_kind {
    /* There is room in the connection's queue again; may end the subscription. */
    void (*top_up)(struct subscription *subscription);
    /* Releases what the stream holds, and the stream itself. */
    void (*free)(struct subscription *subscription);
};

struct subscription {
    const struct subscription_kind *kind;
    struct list link; /* among the connection's */
    struct connection *connection;
    uint64_t id; /* unique on the connection */
};

/* Adds to the connection. Errors: -EDQUOT (it has too many). */
int subscription_add(struct subscription *subscription, const struct subscription_kind *kind,
                     struct connection *connection, struct error *err);

/* Takes it from its connection and frees it. */
void subscription_end(struct subscription *subscription);

/* Answers a call that asks for the end of a subscription. Takes call. */
void subscription_end_by_call(struct rpc_call *call, const struct subscription_kind *kind,
                              uint64_t id);

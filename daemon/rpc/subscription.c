#include "rpc/subscription.h"

#include <errno.h>
#include <inttypes.h>

#include <json-c/json.h>

#include "rpc/call.h"
#include "rpc/connection.h"
#include "rpc/context.h"

int subscription_add(struct subscription *subscription, const struct subscription_kind *kind,
                     struct connection *connection, struct error *err)
{
    if (connection->subscription_count >= CONNECTION_SUBSCRIPTIONS_MAX)
        return error_set(err, -EDQUOT,
                         "this connection has %d subscriptions, as many as one may have",
                         CONNECTION_SUBSCRIPTIONS_MAX);
    subscription->kind = kind;
    subscription->connection = connection;
    subscription->id = connection->next_subscription++;
    list_append(&connection->subscriptions, &subscription->link);
    connection->subscription_count++;
    connection->context->subscription_count++;
    return 0;
}

static struct subscription *find(struct connection *connection,
                                 const struct subscription_kind *kind, uint64_t id)
{
    LIST_FOR_EACH(&connection->subscriptions, link) {
        struct subscription *subscription = LIST_ENTRY(link, struct subscription, link);

        if (subscription->kind == kind && subscription->id == id)
            return subscription;
    }
    return NULL;
}

void subscription_end(struct subscription *subscription)
{
    struct connection *connection = subscription->connection;

    list_remove(&subscription->link);
    connection->subscription_count--;
    connection->context->subscription_count--;
    subscription->kind->free(subscription);
    connection_settle(connection);
}

void subscription_end_by_call(struct rpc_call *call, const struct subscription_kind *kind,
                              uint64_t id)
{
    struct subscription *subscription = find(call->connection, kind, id);

    if (!subscription) {
        rpc_call_fail(call, RPC_SUBSCRIPTION_NOT_FOUND, NULL,
                      "this connection has no such subscription %" PRIu64, id);
        return;
    }
    subscription_end(subscription);
    rpc_call_answer(call, json_object_new_object());
}

#include "rpc/subscription.h"

#include <inttypes.h>

#include <json-c/json.h>

#include "rpc/call.h"
#include "rpc/peer.h"

void subscription_end_by_call(struct rpc_call *call, const struct subscription_kind *kind,
                              uint64_t id)
{
    struct subscription *subscription = peer_find_subscription(call->peer, kind, id);

    if (!subscription) {
        rpc_call_fail(call, RPC_SUBSCRIPTION_NOT_FOUND,
                      "this connection has no such subscription %" PRIu64, id);
        return;
    }
    subscription_end(subscription);
    rpc_call_answer(call, json_object_new_object());
}

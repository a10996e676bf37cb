/*
 * Server: the listening socket and its clients.
 */
#pragma once

#include <stdbool.h>

#include "rpc/context.h"
#include "rpc/peer.h"
#include "util/list.h"

struct event;
struct evconnlistener;

struct rpc_server {
    struct rpc_context context;
    struct evconnlistener *listener;
    struct event *accept_again; /* while accepting pauses */
    unsigned accepted;
    struct peer_owner owner; /* of each peer */
    struct list peers;
    struct list closed; /* peers to be freed */
    struct event *reap;
    void (*on_counts)(void *context); /* after context.connection_count changed; or NULL */
    void *on_counts_context;
};

/*
 * Serves on a listening socket, which the server takes. What is given must outlive it.
 * Errors: -ENOMEM.
 */
int rpc_server_init(struct rpc_server *server, struct event_base *base, int listen_fd,
                    struct registry *registry, struct closer *closer,
                    const struct vm_limits *vm_limits, const struct rpc_limits *limits);

/* Stops accepting; connections go on. */
void rpc_server_stop_accepting(struct rpc_server *server);

/* Whether a client has connected and has not been accepted yet. */
int rpc_server_has_waiting(const struct rpc_server *server);

/* Ends the streams that are still open, each with a last line that says why; whether there were
 * any. What was queued for a client before goes first. */
bool rpc_server_end_subscriptions(struct rpc_server *server, enum subscription_reason reason);

/* Whether all that clients were told is on its way; of_calls: and no answer is owed to anybody. */
int rpc_server_is_drained(const struct rpc_server *server, bool of_calls);

/* Closes all connections. A server that was never initialised but is all zeros is fine. */
void rpc_server_deinit(struct rpc_server *server);

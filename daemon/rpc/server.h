/*
 * Server: the listening socket, its connections, and what their requests work on.
 *
 * Everything in rpc/ runs on the loop thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kvm/kvm_host.h"
#include "util/error.h"
#include "util/list.h"
#include "util/log.h"
#include "vm/registry.h"

struct closer;
struct event;
struct event_base;
struct evconnlistener;

/* Settings that bound connections; they may change while the server runs. */
struct rpc_limits {
    uint64_t max_connections;
};

struct rpc_server {
    struct event_base *base;
    struct registry *registry;
    const struct kvm_host *host;
    const struct vm_limits *vm_limits;
    const struct rpc_limits *limits;
    struct evconnlistener *listener;
    struct closer *closer;      /* of what clients sent */
    struct event *accept_again; /* while accepting pauses */
    unsigned accepted;
    struct list connections;
    struct list closed; /* connections to be freed */
    struct event *reap;
    size_t connection_count;
    size_t subscription_count;
    struct log_limit log_limit; /* for what clients can trigger at will */
    int64_t started_ns;         /* realtime */
    int64_t started_mono_ns;
    void (*on_counts)(void *context); /* after connection_count changed; or NULL */
    void *on_counts_context;
};

/*
 * Serves on a listening socket, which the server takes. What is given must outlive it.
 * Errors: -ENOMEM.
 */
int rpc_server_init(struct rpc_server *server, struct event_base *base, int listen_fd,
                    struct registry *registry, const struct kvm_host *host,
                    const struct vm_limits *vm_limits, const struct rpc_limits *limits);

/* Stops accepting; connections go on. */
void rpc_server_stop_accepting(struct rpc_server *server);

/* Whether a client has connected and has not been accepted yet. */
int rpc_server_has_waiting(const struct rpc_server *server);

/* Whether all that clients are to be told is on its way: no answer or notification is queued. */
int rpc_server_is_drained(const struct rpc_server *server);

/* Closes all connections. A server that was never initialised but is all zeros is fine. */
void rpc_server_deinit(struct rpc_server *server);

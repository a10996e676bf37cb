/*
 * Context: what requests work on, and what is counted of those who make them. The server owns it.
 *
 * Loop thread, as is everything in rpc/.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/log.h"
#include "vm/registry.h"

struct closer;
struct event_base;

/* Settings that bound connections; they may change while the server runs. */
struct rpc_limits {
    uint64_t max_connections;
};

struct rpc_context {
    struct event_base *base;
    struct registry *registry;
    const struct vm_limits *vm_limits;
    const struct rpc_limits *limits;
    struct closer *closer; /* of what clients sent */
    uint64_t next_peer;
    size_t connection_count;
    size_t subscription_count;
    struct log_limit log_limit; /* for what clients can trigger at will */
    int64_t started_ns;         /* realtime */
    int64_t started_mono_ns;
};

#include "rpc/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "protocol/message.h"
#include "rpc/dispatch.h"
#include "util/clock.h"
#include "util/closer.h"

/* Clients accepted before everybody else's turn: libevent goes on as long as there is one. */
enum { ACCEPTS_PER_TURN = 16 };

static const struct timeval next_turn;

/* How long accepting pauses when there is no descriptor left. */
static const struct timeval accept_pause = { .tv_sec = 1 };

static void on_reap(evutil_socket_t fd, short what, void *context)
{
    struct rpc_server *server = context;

    (void)fd, (void)what;
    while (!list_is_empty(&server->closed)) {
        struct peer *peer = LIST_ENTRY(server->closed.next, struct peer, link);

        list_remove(&peer->link);
        peer_free(peer);
    }
}

static void counts_changed(struct rpc_server *server)
{
    if (server->on_counts)
        server->on_counts(server->on_counts_context);
}

/* Who closes a peer may be called by it: it is freed when that is over. */
static void on_peer_closed(struct peer *peer, void *context)
{
    struct rpc_server *server = context;

    list_remove(&peer->link);
    list_append(&server->closed, &peer->link);
    server->context.connection_count--;
    event_active(server->reap, EV_TIMEOUT, 0);
    counts_changed(server);
}

static void add_peer(struct rpc_server *server, int fd)
{
    struct peer *peer = peer_new(&server->context, &server->owner, fd);

    if (!peer) {
        if (log_limit_allows(&server->context.log_limit))
            log_warning("no memory for another client, closing its connection");
        return;
    }
    list_append(&server->peers, &peer->link);
    server->context.connection_count++;
    counts_changed(server);
}

/* Tells the client why before it closes; the socket's buffer is empty, so the line fits. */
static void refuse(struct rpc_server *server, int fd)
{
    struct json_object *message;
    char why[128], *line;
    size_t length;

    snprintf(why, sizeof(why),
             "vmmd has %zu connections, as many as the setting 'max-connections' allows",
             server->context.connection_count);
    if (log_limit_allows(&server->context.log_limit))
        log_warning("%s, refusing another", why);
    message = message_new_error(NULL, RPC_LIMIT_REACHED, why, NULL);
    line = message_line(message, &length);
    if (line)
        (void)send(fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    free(line);
    json_object_put(message);
    shutdown(fd, SHUT_RDWR);
    closer_close(server->context.closer, fd); /* with what it may have sent already */
}

/* Accepts nobody for a while; goes on where there is no memory to come back. */
static void pause_accepting(struct rpc_server *server, const struct timeval *pause)
{
    if (event_add(server->accept_again, pause) == 0)
        evconnlistener_disable(server->listener);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *context)
{
    struct rpc_server *server = context;

    (void)listener, (void)address, (void)length;
    if (++server->accepted % ACCEPTS_PER_TURN == 0)
        pause_accepting(server, &next_turn);
    if (server->context.connection_count >= server->context.limits->max_connections) {
        refuse(server, fd);
        return;
    }
    add_peer(server, fd);
}

/* Out of descriptors, mostly: the client waits in the backlog, everybody else goes on. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
    struct rpc_server *server = context;

    (void)listener;
    if (log_limit_allows(&server->context.log_limit))
        log_warning("cannot accept a connection: %s, pausing for a second", strerror(errno));
    pause_accepting(server, &accept_pause);
}

static void on_accept_again(evutil_socket_t fd, short what, void *context)
{
    struct rpc_server *server = context;

    (void)fd, (void)what;
    if (evconnlistener_enable(server->listener) < 0)
        event_add(server->accept_again, &accept_pause); /* which has room for its timer still */
}

int rpc_server_init(struct rpc_server *server, struct event_base *base, int listen_fd,
                    struct registry *registry, struct closer *closer,
                    const struct vm_limits *vm_limits, const struct rpc_limits *limits)
{
    *server = (struct rpc_server){
        .context = {
            .base = base,
            .registry = registry,
            .closer = closer,
            .vm_limits = vm_limits,
            .limits = limits,
            .log_limit = { .burst = 10 },
            .started_ns = clock_realtime_ns(),
            .started_mono_ns = clock_monotonic_ns(),
        },
        .owner = {
            .line = dispatch_line,
            .line_too_long = dispatch_refuse_line,
            .next_of_batch = dispatch_next_of_batch,
            .end_batch = dispatch_end_batch,
            .closed = on_peer_closed,
            .context = server,
        },
    };
    list_init(&server->peers);
    list_init(&server->closed);

    /* backlog 0: it listens already */
    server->listener = evconnlistener_new(
        base, on_accept, server, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
    server->accept_again = event_new(base, -1, 0, on_accept_again, server);
    server->reap = event_new(base, -1, 0, on_reap, server);
    if (!server->listener)
        close(listen_fd);
    if (!server->listener || !server->accept_again || !server->reap) {
        rpc_server_deinit(server);
        return -ENOMEM;
    }
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    return 0;
}

void rpc_server_stop_accepting(struct rpc_server *server)
{
    event_del(server->accept_again);
    evconnlistener_disable(server->listener);
}

int rpc_server_has_waiting(const struct rpc_server *server)
{
    struct pollfd pollfd = { .fd = evconnlistener_get_fd(server->listener), .events = POLLIN };

    return poll(&pollfd, 1, 0) == 1;
}

bool rpc_server_end_subscriptions(struct rpc_server *server, enum subscription_reason reason)
{
    bool any = server->context.subscription_count > 0;

    LIST_FOR_EACH(&server->peers, link)
        peer_end_subscriptions(LIST_ENTRY(link, struct peer, link), reason);
    return any;
}

int rpc_server_is_drained(const struct rpc_server *server, bool of_calls)
{
    LIST_FOR_EACH(&server->peers, link)
        if (!peer_is_drained(LIST_ENTRY(link, struct peer, link), of_calls))
            return 0;
    return 1;
}

void rpc_server_deinit(struct rpc_server *server)
{
    if (!server->context.base)
        return;
    server->on_counts = NULL;
    while (!list_is_empty(&server->peers))
        peer_close(LIST_ENTRY(server->peers.next, struct peer, link));
    on_reap(-1, 0, server);
    if (server->listener)
        evconnlistener_free(server->listener);
    if (server->accept_again)
        event_free(server->accept_again);
    if (server->reap)
        event_free(server->reap);
    *server = (struct rpc_server){ 0 };
}

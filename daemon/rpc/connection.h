/*
 * Connection: one client. Lines in, messages out, never more in memory than bounds allow.
 *
 * A client that does not read has its requests left unread in turn, once QUEUE_HIGH bytes wait for
 * it; streams of output wait in the VM's ring meanwhile (rpc/output_stream.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/limits.h"
#include "protocol/line_buffer.h"
#include "shared/vm_record.h"
#include "util/list.h"

struct evbuffer;
struct event;
struct json_object;
struct rpc_batch;
struct rpc_context;
struct rpc_server;
struct subscription;

enum {
    CONNECTION_QUEUE_LOW = 64 * 1024,    /* bytes; below this, streams are topped up */
    CONNECTION_QUEUE_HIGH = 1024 * 1024, /* above this, no request is read */
    CONNECTION_EVENTS_MAX = 1024 * 1024, /* bytes of events; above this, it is disconnected */
    CONNECTION_CALLS_MAX = 1024,         /* requests not answered yet */
    CONNECTION_SUBSCRIPTIONS_MAX = 256,
};

/* A descriptor that came in, for a line that begins before `until` in the stream. */
struct received_fd {
    int fd;
    uint64_t until;
};

struct connection {
    struct list link;
    struct rpc_server *server;
    struct rpc_context *context;
    int fd; /* -1: closed */
    struct vm_peer peer;
    struct event *readable;
    struct event *writable;
    struct event *hangup; /* on hangup_fd: the peer of a half-closed connection is gone */
    int hangup_fd; /* a duplicate, for libevent takes one fd by edges or by levels; -1: none */
    struct event *flush; /* made active by the first message of a turn */
    struct event *again; /* its requests go on in the next turn */
    struct line_buffer lines;
    struct rpc_batch *batch; /* some of its requests have not been made yet; or NULL */
    struct received_fd fds[PROTOCOL_FDS_MAX];
    size_t fd_count;
    struct evbuffer *queue;
    size_t events_queued; /* bytes of it that are events */
    size_t batched;       /* bytes of answers that wait for the rest of their batch */
    struct list calls;    /* rpc_call.link */
    size_t call_count;
    struct list subscriptions; /* subscription.link */
    size_t subscription_count;
    uint64_t next_subscription;
    bool half_closed; /* the client sends no more, but may read */
    bool deaf;        /* the client reads no more; what it asked for is done all the same */
    bool busy;        /* in the middle of its lines or streams: not to be closed for idleness */
    bool writing;     /* `writable` is added */
    bool doomed;      /* closed when the loop comes to it: see connection_drop() */
};

/* Takes fd, nonblocking. Errors: NULL, out of memory. */
struct connection *connection_new(struct rpc_server *server, int fd);

/* Queues one message and its LF. Takes message. */
void connection_send(struct connection *connection, struct json_object *message);

/* The same, of what the client will get whether or not it reads: counted in events_queued. */
void connection_send_event(struct connection *connection, struct json_object *message);

/* Queues size bytes of a message, LF included. */
void connection_send_text(struct connection *connection, const void *text, size_t size);

/* Bytes that wait for the client. */
size_t connection_queued(const struct connection *connection);

/* The next descriptor that came with the line in work, or -1. The caller owns it. */
int connection_take_fd(struct connection *connection);

/* Something that kept a half-closed connection open may have ended. */
void connection_settle(struct connection *connection);

/* Drops the client: calls, subscriptions and what is queued. It is freed at the end of the turn. */
void connection_close(struct connection *connection);

/* The same, in the next turn of the loop: for who may be called by something that goes on to use
 * the connection. */
void connection_drop(struct connection *connection);

/* For the server: frees a closed connection. */
void connection_free(struct connection *connection);

/*
 * Connection: the socket of one client. Lines come in, bytes go out, and never more of them are in
 * memory than bounds allow.
 *
 * Descriptors that come with a line are never received here: to close one may take for ever (a file
 * on FUSE waits for whoever serves it), in exit(2) too. So what came is looked at first, without
 * room for descriptors (MSG_PEEK, recvmsg(2)): MSG_CTRUNC tells that there are some. Then somebody
 * else reads the same bytes, with them (vm/worker_pool.h), and until that is over nothing more is
 * read here.
 *
 * A client that does not read has its requests left unread in turn, once QUEUE_HIGH bytes wait for
 * it. What the lines say, and what it is that is sent, is its owner's.
 *
 * Loop thread, as is everything in rpc/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/limits.h"
#include "protocol/line_buffer.h"

struct closer;
struct delivery;
struct error;
struct evbuffer;
struct event;
struct event_base;

enum {
    CONNECTION_QUEUE_LOW = 64 * 1024,    /* bytes; below this, there is room */
    CONNECTION_QUEUE_HIGH = 1024 * 1024, /* above this, no request is read */
    CONNECTION_EVENTS_MAX = 1024 * 1024, /* bytes of events; above this, it is disconnected */
};

/* Whose connection it is. It is not closed for idleness while one of these runs. */
struct connection_owner {
    /* Has somebody else take `length` bytes of socket fd, with the descriptors among them, which
     * belong to lines that begin before offset `until`; then connection_received(). Errors:
     * negative errno. */
    int (*receive)(void *context, int fd, uint64_t length, uint64_t until, struct delivery **ret);
    /* Nobody will ask for what is left of it that belongs to lines before offset `until`. */
    void (*forget)(void *context, struct delivery *delivery, uint64_t until);
    /* The connection is closed: whoever takes bytes of it need not tell. */
    void (*ignore)(void *context, struct delivery *delivery);
    bool (*work)(void *context);          /* makes one request; false: there is none to make */
    void (*room)(void *context);          /* the client has read: there is room for more */
    void (*deaf)(void *context);          /* the client reads no more: nothing can be sent to it */
    bool (*is_owed)(const void *context); /* something is still to be sent to the client */
    void (*failed)(void *context);        /* no memory to go on: it is to be dropped */
    void (*closed)(void *context);        /* the last: only connection_deinit() is left to do */
    void *context;
};

/* Descriptors that came in, for lines that begin before `until` in the stream: somebody else has
 * them. */
struct received {
    struct delivery *delivery;
    uint64_t until;
};

struct connection {
    struct connection_owner owner;
    struct event_base *base;
    struct closer *closer;
    int fd; /* -1: closed */
    struct event *readable;
    struct event *writable;
    struct event *hangup; /* on hangup_fd: the peer of a half-closed connection is gone */
    int hangup_fd; /* a duplicate, for libevent takes one fd by edges or by levels; -1: none */
    struct event *flush; /* made active by the first message of a turn */
    struct event *again; /* its requests go on in the next turn */
    struct line_buffer lines;
    struct received received[PROTOCOL_FDS_MAX];
    size_t received_count;
    struct delivery *receiving; /* somebody else reads from its socket; or NULL */
    struct evbuffer *queue;
    size_t events_queued; /* bytes of it that are events */
    bool half_closed;     /* the client sends no more, but may read */
    bool deaf;            /* the client reads no more; what it asked for is done all the same */
    bool busy;            /* its owner is at work: not to be closed for idleness */
    bool writing;         /* `writable` is added */
    bool doomed;          /* closed when the loop comes to it: see connection_drop() */
};

/* Takes fd, nonblocking. base and closer must outlive the connection, which must not move. Errors:
 * -ENOMEM; nothing to deinit then. */
int connection_init(struct connection *connection, struct event_base *base, struct closer *closer,
                    int fd, const struct connection_owner *owner);

/* Of a connection that is closed. */
void connection_deinit(struct connection *connection);

/* Queues size bytes, copied; sends nothing if nobody reads any more. Errors: -ENOMEM. */
int connection_send(struct connection *connection, const void *bytes, size_t size);

/* The same of all that is in a buffer, moved. */
int connection_send_buffer(struct connection *connection, struct evbuffer *buffer);

/* The same of an event, which the client will get whether or not it reads: the owner bounds how
 * many of them wait. bytes: from malloc(3), taken. Errors: -ENOMEM. */
int connection_send_event(struct connection *connection, char *bytes, size_t size);

/* Bytes that wait for the client; of them, those of events. */
size_t connection_queued(const struct connection *connection);
size_t connection_events_queued(const struct connection *connection);

/* For work(): the next line of the client, whole or too long; false: there is none yet. */
bool connection_next_line(struct connection *connection, struct line *ret);

/* For work(): all that the line asked for has begun. Descriptors that came with it and that nobody
 * has asked for are closed. */
void connection_end_line(struct connection *connection);

/* Where the descriptors are that came with the line in work; NULL: none did. */
struct delivery *connection_delivery(const struct connection *connection);

/* What owner.receive() began is over. failed: nobody knows where in the stream the socket is now.
 */
void connection_received(struct connection *connection, bool failed);

/* Whether what is sent reaches nobody, although the client's requests are made. */
bool connection_is_deaf(const struct connection *connection);

/* Whether it is closed, or will be in the next turn: see connection_drop(). */
bool connection_is_doomed(const struct connection *connection);

/* Something that kept a half-closed connection open may have ended. */
void connection_settle(struct connection *connection);

/* Closes it, with what is queued, and tells the owner; nothing if it is closed. */
void connection_close(struct connection *connection);

/* The same, in the next turn of the loop: for who may be called by something that goes on to use
 * the connection. */
void connection_drop(struct connection *connection);

#include "rpc/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/closer.h"

/* A turn of one client, so that no client keeps the others waiting: one request, however long that
 * takes, and then more until the time is up. */
enum { TURN_NS = 200 * 1000 };

/* Its part in writing: each of them takes 128 pieces of the queue, and an event is one. */
enum { WRITES_PER_TURN = 8 };

/* Whether what is sent can still come to the client. */
static bool is_reached(const struct connection *connection)
{
    return !connection_is_doomed(connection) && !connection->deaf;
}

/* There is nothing that would wake it again: the owner drops it. */
static void fail(struct connection *connection)
{
    connection->owner.failed(connection->owner.context);
}

/* after: NULL for never. */
static void add_event(struct connection *connection, struct event *event,
                      const struct timeval *after)
{
    if (event_add(event, after) < 0)
        fail(connection);
}

/* Something was added to the queue. */
static void want_flush(struct connection *connection)
{
    if (!connection->writing)
        event_active(connection->flush, EV_WRITE, 0);
}

int connection_send(struct connection *connection, const void *bytes, size_t size)
{
    if (!is_reached(connection))
        return 0;
    if (evbuffer_add(connection->queue, bytes, size) < 0)
        return -ENOMEM;
    want_flush(connection);
    return 0;
}

int connection_send_buffer(struct connection *connection, struct evbuffer *buffer)
{
    if (!is_reached(connection))
        return 0;
    if (evbuffer_add_buffer(connection->queue, buffer) < 0)
        return -ENOMEM;
    want_flush(connection);
    return 0;
}

/* The queue has let go of an event: of the last of its bytes. */
static void forget_event(const void *bytes, size_t size, void *context)
{
    struct connection *connection = context;

    connection->events_queued -= size;
    free((void *)bytes);
}

int connection_send_event(struct connection *connection, char *bytes, size_t size)
{
    if (!is_reached(connection)) {
        free(bytes);
        return 0;
    }
    if (evbuffer_add_reference(connection->queue, bytes, size, forget_event, connection) < 0) {
        free(bytes);
        return -ENOMEM;
    }
    connection->events_queued += size;
    want_flush(connection);
    return 0;
}

size_t connection_queued(const struct connection *connection)
{
    return evbuffer_get_length(connection->queue);
}

size_t connection_events_queued(const struct connection *connection)
{
    return connection->events_queued;
}

bool connection_is_deaf(const struct connection *connection)
{
    return connection->deaf;
}

bool connection_is_doomed(const struct connection *connection)
{
    return connection->fd < 0 || connection->doomed;
}

/* Descriptors. */

static void forget_until(struct connection *connection, uint64_t offset)
{
    size_t kept = 0;

    for (size_t i = 0; i < connection->received_count; i++) {
        const struct received *received = &connection->received[i];

        if (received->until <= offset)
            connection->owner.forget(connection->owner.context, received->delivery, offset);
        else
            connection->received[kept++] = *received;
    }
    connection->received_count = kept;
}

struct delivery *connection_delivery(const struct connection *connection)
{
    return connection->received_count > 0 ? connection->received[0].delivery : NULL;
}

/* Reading. */

static bool is_blocked(const struct connection *connection)
{
    return connection_queued(connection) > CONNECTION_QUEUE_HIGH;
}

bool connection_next_line(struct connection *connection, struct line *ret)
{
    struct line line = line_buffer_next(&connection->lines);

    if (line.kind == LINE_NONE && connection->half_closed)
        line = line_buffer_last(&connection->lines);
    if (line.kind == LINE_NONE)
        return false;
    forget_until(connection, line.offset); /* of what was skipped before it */
    *ret = line;
    return true;
}

void connection_end_line(struct connection *connection)
{
    forget_until(connection, connection->lines.offset);
}

/* Some requests wait for the next turn. */
static bool has_requests_left(const struct connection *connection)
{
    return event_pending(connection->again, EV_TIMEOUT, NULL);
}

/* Handles requests until there is none, the client has to read first, or its turn is over (true).
 */
static bool take_turn(struct connection *connection)
{
    int64_t end = clock_monotonic_ns() + TURN_NS;
    bool over = false;

    connection->busy = true;
    while (!connection->doomed && !is_blocked(connection) && !over) {
        if (!connection->owner.work(connection->owner.context))
            break;
        over = clock_monotonic_ns() >= end;
    }
    connection->busy = false;
    return over;
}

/* The next requests, of those that are there; then, or not yet, more are read. */
static void go_on(struct connection *connection)
{
    static const struct timeval next_turn;
    bool more = take_turn(connection);

    if (more)
        add_event(connection, connection->again, &next_turn);
    if (more || connection->half_closed || connection->receiving || is_blocked(connection))
        event_del(connection->readable);
    else
        add_event(connection, connection->readable, NULL);
    if (!more)
        connection_settle(connection);
}

/* Waits for the client to read, if there is something it has not read. */
static void watch_writable(struct connection *connection)
{
    bool wanted = connection_queued(connection) > 0;

    if (wanted == connection->writing)
        return;
    connection->writing = wanted;
    if (wanted)
        add_event(connection, connection->writable, NULL);
    else
        event_del(connection->writable);
}

/* Nobody is there to be answered. What was asked for is done all the same: it may have been asked
 * for, and the client gone, before vmmd had a chance to read. */
static void deafen(struct connection *connection)
{
    if (connection->deaf)
        return;
    connection->deaf = true;
    connection->busy = true;
    connection->owner.deaf(connection->owner.context);
    connection->busy = false;
    evbuffer_drain(connection->queue, connection_queued(connection));
    watch_writable(connection);
    if (!has_requests_left(connection))
        go_on(connection);
}

/* Whether the other end is closed for reading, too. */
static bool peer_is_gone(const struct connection *connection)
{
    struct pollfd pollfd = { .fd = connection->fd };

    return poll(&pollfd, 1, 0) == 1 && pollfd.revents & (POLLHUP | POLLERR);
}

static void on_hangup(evutil_socket_t fd, short what, void *context)
{
    struct connection *connection = context;

    (void)fd, (void)what;
    if (connection->fd >= 0 && peer_is_gone(connection))
        deafen(connection);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what;
    go_on(context);
}

/* An edge: the end of what it sends is there already, and would be told of again and again. */
static void watch_hangup(struct connection *connection)
{
    connection->hangup_fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
    if (connection->hangup_fd < 0)
        return; /* out of descriptors: found out when something is written to it */
    connection->hangup = event_new(connection->base, connection->hangup_fd,
                                   EV_CLOSED | EV_ET | EV_PERSIST, on_hangup, connection);
    if (!connection->hangup)
        fail(connection);
    else
        add_event(connection, connection->hangup, NULL);
}

/* The client has sent all it will. It may still read: its answers are sent before it is closed. */
static void handle_end(struct connection *connection)
{
    connection->half_closed = true;
    watch_hangup(connection);
    go_on(connection);
    on_hangup(-1, 0, connection);
}

enum read_result { READ_SOME, READ_NOTHING, READ_END, READ_FAILED, READ_NO_MEMORY };

/*
 * The bytes are here, from a look at them, and the same are to be taken from the socket, with the
 * descriptors. They belong to some byte of what was read, the kernel does not say which: to a line,
 * therefore, that begins before the end of it.
 */
static enum read_result hand_over(struct connection *connection, size_t size)
{
    struct received *received = &connection->received[connection->received_count];
    uint64_t until;

    if (connection->received_count == PROTOCOL_FDS_MAX)
        return READ_FAILED; /* it sends descriptors and no line to go with them */
    line_buffer_added(&connection->lines, size);
    until = connection->lines.offset + (connection->lines.end - connection->lines.start);
    received->until = until;
    if (connection->owner.receive(connection->owner.context, connection->fd, size, until,
                                  &received->delivery) < 0)
        return READ_FAILED;
    connection->received_count++;
    connection->receiving = received->delivery;
    return READ_SOME;
}

static enum read_result read_some(struct connection *connection)
{
    struct iovec room;
    struct msghdr message = { .msg_iov = &room, .msg_iovlen = 1 };
    ssize_t n;

    room.iov_base = line_buffer_room(&connection->lines, &room.iov_len);
    if (!room.iov_base)
        return READ_NO_MEMORY;
    n = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_PEEK);
    if (n > 0 && message.msg_flags & MSG_CTRUNC)
        return hand_over(connection, (size_t)n);
    if (n > 0) /* the same once more, which has no descriptors: nobody else reads here */
        n = recv(connection->fd, room.iov_base, (size_t)n, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET)) /* reset: it has left answers unread */
        return READ_END;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? READ_NOTHING : READ_FAILED;
    line_buffer_added(&connection->lines, (size_t)n);
    return READ_SOME;
}

void connection_received(struct connection *connection, bool failed)
{
    connection->receiving = NULL;
    if (failed)
        connection_drop(connection);
    else if (!has_requests_left(connection))
        go_on(connection);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct connection *connection = context;

    (void)fd, (void)what;
    switch (read_some(connection)) {
    case READ_SOME:
        go_on(connection);
        break;
    case READ_NOTHING:
        break;
    case READ_END:
        handle_end(connection);
        break;
    case READ_FAILED:
        connection_close(connection);
        break;
    case READ_NO_MEMORY:
        fail(connection);
        break;
    }
}

/* Writing. */

static void tell_of_room(struct connection *connection)
{
    connection->busy = true;
    connection->owner.room(connection->owner.context);
    connection->busy = false;
}

/* The client has read: what waited for that goes on. */
static void resume(struct connection *connection)
{
    if (connection_queued(connection) < CONNECTION_QUEUE_LOW)
        tell_of_room(connection);
    if (!is_blocked(connection))
        go_on(connection);
}

/* Writes what can be written now, as far as its turn goes; false: the client does not read any
 * more.
 */
static bool write_queue(struct connection *connection)
{
    for (int i = 0; i < WRITES_PER_TURN && connection_queued(connection) > 0; i++)
        if (evbuffer_write(connection->queue, connection->fd) < 0)
            return errno == EAGAIN;
    return true;
}

static void on_flush(evutil_socket_t fd, short what, void *context)
{
    struct connection *connection = context;

    (void)fd, (void)what;
    if (connection->doomed) {
        connection_close(connection);
        return;
    }
    if (!write_queue(connection)) {
        deafen(connection);
        return;
    }
    resume(connection);
    if (connection->fd >= 0)
        watch_writable(connection);
}

/* Coming and going. */

void connection_settle(struct connection *connection)
{
    bool owed =
        connection_queued(connection) > 0 || connection->owner.is_owed(connection->owner.context);

    if (connection->fd >= 0 && !connection->busy && connection->half_closed &&
        !has_requests_left(connection) && (connection->deaf || !owed))
        connection_close(connection);
}

static void free_event(struct event **event)
{
    if (*event)
        event_free(*event);
    *event = NULL;
}

/* What has been sent and not read may hold descriptors, to be closed with the socket. The client
 * sees the end even while that takes its time. */
static void close_socket(struct connection *connection)
{
    if (connection->half_closed) {
        close(TAKE_FD(connection->fd)); /* all has been read */
        return;
    }
    shutdown(connection->fd, SHUT_RDWR);
    closer_close(connection->closer, TAKE_FD(connection->fd));
}

static void free_events(struct connection *connection)
{
    free_event(&connection->readable);
    free_event(&connection->writable);
    free_event(&connection->hangup);
    free_event(&connection->flush);
    free_event(&connection->again);
}

int connection_init(struct connection *connection, struct event_base *base, struct closer *closer,
                    int fd, const struct connection_owner *owner)
{
    *connection = (struct connection){
        .owner = *owner,
        .base = base,
        .closer = closer,
        .fd = fd,
        .hangup_fd = -1,
    };
    line_buffer_init(&connection->lines, PROTOCOL_LINE_MAX);
    connection->queue = evbuffer_new();
    connection->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, connection);
    connection->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_flush, connection);
    connection->flush = event_new(base, -1, 0, on_flush, connection);
    connection->again = event_new(base, -1, 0, on_again, connection);
    if (!connection->queue || !connection->readable || !connection->writable ||
        !connection->flush || !connection->again || event_add(connection->readable, NULL) < 0) {
        free_events(connection);
        close_socket(connection);
        connection_deinit(connection);
        return -ENOMEM;
    }
    return 0;
}

void connection_close(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    free_events(connection);
    if (connection->hangup_fd >= 0)
        close(TAKE_FD(connection->hangup_fd));
    close_socket(connection);
    if (connection->receiving)
        connection->owner.ignore(connection->owner.context, TAKE_PTR(connection->receiving));
    forget_until(connection, UINT64_MAX);
    connection->owner.closed(connection->owner.context);
}

void connection_drop(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    connection->doomed = true;
    event_active(connection->flush, EV_WRITE, 0);
}

void connection_deinit(struct connection *connection)
{
    line_buffer_deinit(&connection->lines);
    if (connection->queue)
        evbuffer_free(connection->queue);
}

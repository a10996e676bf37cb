#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "field.h"
#include "protocol/line_buffer.h"
#include "protocol/message.h"

/* The daemon bounds what it is sent, not what it answers: the records of thousands of VMs are one
 * line. This is only a bound. */
#define ANSWER_LINE_MAX ((size_t)256 * 1024 * 1024)

struct waiting {
    STAILQ_ENTRY(waiting) entry;
    struct incoming incoming;
};

struct connection {
    int fd;
    int64_t last_id;
    struct line_buffer lines;
    STAILQ_HEAD(, waiting) queue; /* in the order they came */
};

void incoming_deinit(struct incoming *incoming)
{
    json_object_put(incoming->value);
    *incoming = (struct incoming){ 0 };
}

int connection_open(const char *path, struct connection **ret, struct error *err)
{
    _cleanup_(connection_freep) struct connection *connection = NULL;
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(err, -ENAMETOOLONG,
                         "the socket's path '%s' is too long; a socket's may have %zu bytes", path,
                         sizeof(address.sun_path) - 1);
    strcpy(address.sun_path, path);

    connection = calloc(1, sizeof(*connection));
    if (!connection)
        return error_set(err, -ENOMEM, "out of memory");
    line_buffer_init(&connection->lines, ANSWER_LINE_MAX);
    STAILQ_INIT(&connection->queue);
    connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return error_set(err, -errno, "cannot connect to '%s': %s", path, strerror(errno));

    *ret = TAKE_PTR(connection);
    return 0;
}

struct connection *connection_free(struct connection *connection)
{
    struct incoming incoming;

    if (!connection)
        return NULL;
    while (connection_take(connection, &incoming))
        incoming_deinit(&incoming);
    line_buffer_deinit(&connection->lines);
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection);
    return NULL;
}

int connection_fd(const struct connection *connection)
{
    return connection->fd;
}

/* One sendmsg(2); descriptors, if any, travel with the first byte. */
static ssize_t send_some(int socket_fd, const char *bytes, size_t size,
                         const struct passed_fds *passed)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(sizeof(passed->fds))];
    } control = { 0 };
    struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    if (passed && passed->count > 0) {
        size_t passed_size = passed->count * sizeof(passed->fds[0]);
        struct cmsghdr *header;

        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(passed_size);
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(passed_size);
        memcpy(CMSG_DATA(header), passed->fds, passed_size);
    }
    return sendmsg(socket_fd, &message, MSG_NOSIGNAL);
}

static int send_all(int socket_fd, const char *bytes, size_t size, const struct passed_fds *passed,
                    struct error *err)
{
    while (size > 0) {
        ssize_t n = send_some(socket_fd, bytes, size, passed);

        if (n < 0 && errno == EINTR)
            continue;
        /* A daemon that hangs up at once may have said why: reading finds that, or the end. */
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return 0;
        if (n < 0)
            return error_set(err, -ECONNRESET, "vmmd went away: %s", strerror(errno));
        bytes += n;
        size -= (size_t)n;
        passed = NULL;
    }
    return 0;
}

int connection_send(struct connection *connection, const char *method, struct json_object *params,
                    const struct passed_fds *passed, int64_t *ret_id, struct error *err)
{
    int64_t id = ++connection->last_id;
    _cleanup_json_ struct json_object *request =
        message_new_request(json_object_new_int64(id), method, params);
    _cleanup_free_ char *line = NULL;
    size_t length;
    int r;

    line = message_line(request, &length);
    if (!line)
        return error_set(err, -ENOMEM, "out of memory");
    if (length - 1 > PROTOCOL_LINE_MAX)
        return error_set(err, -EMSGSIZE, "the request for %s has %zu bytes; vmmd takes %d at most",
                         method, length - 1, PROTOCOL_LINE_MAX);

    r = send_all(connection->fd, line, length, passed, err);
    if (r < 0)
        return r;
    *ret_id = id;
    return 0;
}

/* Takes value. */
static int classify(struct json_object *value, struct incoming *ret)
{
    const char *method = field_text(value, "method");

    ret->value = value;
    ret->method = method[0] ? method : NULL;
    ret->params = field_get(value, "params");
    ret->id = field_integer(value, "id");
    ret->result = field_get(value, "result");
    ret->error = field_get(value, "error");
    return ret->method || ret->id > 0 || ret->error ? 0 : -EPROTO;
}

static int queue_line(struct connection *connection, const struct line *line, struct error *err)
{
    struct waiting *waiting;
    struct json_text_fault fault;
    struct json_object *value;
    int r;

    r = message_parse_answer(line->text, line->length, &value, &fault);
    if (r == -EINVAL)
        return error_set(err, -EPROTO, "what vmmd sent is not JSON: %s, at byte %zu of a line",
                         fault.what, fault.offset);
    waiting = r == 0 ? calloc(1, sizeof(*waiting)) : NULL;
    if (!waiting)
        return error_set(err, -ENOMEM, "out of memory");
    r = classify(value, &waiting->incoming);
    STAILQ_INSERT_TAIL(&connection->queue, waiting, entry);
    return r < 0 ? error_set(err, r, "what vmmd sent is not JSON-RPC 2.0") : 0;
}

static int queue_lines(struct connection *connection, struct error *err)
{
    for (;;) {
        struct line line = line_buffer_next(&connection->lines);
        int r;

        if (line.kind == LINE_NONE)
            return 0;
        if (line.kind == LINE_TOO_LONG)
            return error_set(err, -EPROTO, "vmmd sent a line of more than %zu bytes",
                             ANSWER_LINE_MAX);
        r = queue_line(connection, &line, err);
        if (r < 0)
            return r;
    }
}

int connection_receive(struct connection *connection, bool wait, struct error *err)
{
    size_t size;
    char *room = line_buffer_room(&connection->lines, &size);
    ssize_t n;

    if (!room)
        return error_set(err, -ENOMEM, "out of memory");
    do
        n = recv(connection->fd, room, size, wait ? 0 : MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return error_set(err, -ECONNRESET, "vmmd went away: %s",
                         n < 0 ? strerror(errno) : "it closed the connection");
    line_buffer_added(&connection->lines, (size_t)n);
    return queue_lines(connection, err);
}

static void unqueue(struct connection *connection, struct waiting *waiting, struct incoming *ret)
{
    STAILQ_REMOVE(&connection->queue, waiting, waiting, entry);
    *ret = waiting->incoming;
    free(waiting);
}

bool connection_take(struct connection *connection, struct incoming *ret)
{
    struct waiting *waiting = STAILQ_FIRST(&connection->queue);

    if (!waiting)
        return false;
    unqueue(connection, waiting, ret);
    return true;
}

bool connection_take_notification(struct connection *connection, struct incoming *ret)
{
    struct waiting *waiting;

    STAILQ_FOREACH(waiting, &connection->queue, entry)
    if (waiting->incoming.method) {
        unqueue(connection, waiting, ret);
        return true;
    }
    return false;
}

/* An error without id can only be meant for whoever asks now. */
static bool answers(const struct incoming *incoming, int64_t id)
{
    return !incoming->method && (incoming->id == id || incoming->id == 0);
}

bool connection_take_answer(struct connection *connection, int64_t id, struct incoming *ret)
{
    struct waiting *waiting;

    STAILQ_FOREACH(waiting, &connection->queue, entry)
    if (answers(&waiting->incoming, id)) {
        unqueue(connection, waiting, ret);
        return true;
    }
    return false;
}

int connection_wait_answer(struct connection *connection, int64_t id, struct incoming *ret,
                           struct error *err)
{
    while (!connection_take_answer(connection, id, ret)) {
        int r = connection_receive(connection, true, err);

        if (r < 0)
            return r;
    }
    return 0;
}

#include "worker/receiver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include "util/cleanup.h"
#include "util/closer.h"
#include "util/escape.h"
#include "util/list.h"

/* Descriptors that one sendmsg(2) may carry (SCM_MAX_FD, unix(7)): those that find no room would be
 * closed by recvmsg(2), here and now. */
enum { SENT_FDS_MAX = 253 };

/* What came by one recvmsg(2) belongs to some byte of what it read, the kernel does not say which:
 * to a line, therefore, that begins before the end of it. */
struct received_fd {
    int fd;
    uint64_t until;
};

struct client {
    struct list link;
    uint64_t id;
    struct received_fd fds[LINK_CLIENT_FDS_MAX]; /* in the order they came */
    size_t count;
};

struct receiver {
    struct closer *closer;
    struct list clients; /* those that have sent something that is still here */
};

struct receiver *receiver_new(void)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));

    if (!receiver)
        return NULL;
    list_init(&receiver->clients);
    if (closer_new(&receiver->closer) < 0) {
        free(receiver);
        return NULL;
    }
    return receiver;
}

static struct client *find_client(struct receiver *receiver, uint64_t id)
{
    LIST_FOR_EACH(&receiver->clients, link) {
        struct client *client = LIST_ENTRY(link, struct client, link);

        if (client->id == id)
            return client;
    }
    return NULL;
}

static struct client *get_client(struct receiver *receiver, uint64_t id)
{
    struct client *client = find_client(receiver, id);

    if (client)
        return client;
    client = calloc(1, sizeof(*client));
    if (client) {
        client->id = id;
        list_append(&receiver->clients, &client->link);
    }
    return client;
}

static void drop_if_empty(struct client *client)
{
    if (client->count > 0)
        return;
    list_remove(&client->link);
    free(client);
}

/* client: NULL, to keep none of them. */
static void keep_fds(struct receiver *receiver, struct client *client, struct msghdr *message,
                     uint64_t until, uint32_t *count)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        size_t here;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++, ++*count) {
            struct received_fd received = { .until = until };

            memcpy(&received.fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (client && client->count < LINK_CLIENT_FDS_MAX)
                client->fds[client->count++] = received;
            else
                closer_close(receiver->closer, received.fd);
        }
    }
}

/* Reads what the daemon has read already, for the sake of what came with it. */
static int take_bytes(struct receiver *receiver, struct client *client, int fd,
                      const struct link_receive *receive, uint32_t *count)
{
    union {
        char bytes[CMSG_SPACE(SENT_FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    char bytes[4096];
    uint64_t left = receive->length;

    while (left > 0) {
        struct iovec room = { .iov_base = bytes,
                              .iov_len = left < sizeof(bytes) ? left : sizeof(bytes) };
        struct msghdr message = {
            .msg_iov = &room,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof(control.bytes),
        };
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPROTO;
        keep_fds(receiver, client, &message, receive->until, count);
        left -= (uint64_t)n;
    }
    return 0;
}

void receiver_take(struct receiver *receiver, struct link_message *message,
                   struct link_received *ret)
{
    struct link_receive receive;
    struct client *client;
    int fd = link_message_take_fd(message, 0);

    link_message_read(message, &receive, sizeof(receive));
    *ret =
        (struct link_received){ .head = LINK_HEAD(LINK_RECEIVED, *ret), .client = receive.client };
    client = closer_is_full(receiver->closer) ? NULL : get_client(receiver, receive.client);
    ret->failed = fd < 0 || take_bytes(receiver, client, fd, &receive, &ret->count) < 0;
    if (client)
        drop_if_empty(client);
    closer_close(receiver->closer, fd); /* others may have sent by it what is not read yet */
}

/* The next of them, or -1. */
static int take_fd_of(struct receiver *receiver, uint64_t id)
{
    struct client *client = find_client(receiver, id);
    int fd;

    if (!client)
        return -1;
    fd = client->fds[0].fd;
    client->count--;
    memmove(client->fds, client->fds + 1, client->count * sizeof(client->fds[0]));
    drop_if_empty(client);
    return fd;
}

/* A file of the directory and nothing outside of it, whatever the path says. */
static int open_in_directory(const struct link_supply *supply, struct link_source *source)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    _cleanup_close_ int directory = open(supply->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char shown[128]; /* the client's: it goes into the log */
    int fd;

    if (directory < 0) {
        snprintf(source->text, sizeof(source->text), "cannot open the image directory '%.200s': %s",
                 supply->directory, strerror(errno));
        return -1;
    }
    fd = (int)syscall(SYS_openat2, directory, supply->path, &how, sizeof(how));
    if (fd < 0)
        snprintf(source->text, sizeof(source->text), "cannot open '%s' in the image directory: %s",
                 escape_text(supply->path, strlen(supply->path), shown, sizeof(shown)),
                 errno == EXDEV ? "it leads outside of it" : strerror(errno));
    return fd;
}

static int get_source(struct receiver *receiver, const struct link_supply *supply,
                      struct link_source *source)
{
    int fd;

    if (supply->kind == LINK_SUPPLY_PATH) {
        fd = open_in_directory(supply, source);
        source->error = fd < 0 ? -ENOEXEC : 0;
        return fd;
    }
    fd = take_fd_of(receiver, supply->client);
    if (fd < 0) {
        source->error = -EINVAL;
        snprintf(source->text, sizeof(source->text),
                 "\"fd\" is true, but no descriptor came with the line (SCM_RIGHTS), or there were "
                 "none left to receive it");
    }
    return fd;
}

void receiver_supply(struct receiver *receiver, struct link_message *message)
{
    _cleanup_close_ int supply_fd = link_message_take_fd(message, 0);
    struct link_source source = { .head = LINK_HEAD(LINK_SOURCE, source) };
    struct link_supply supply;
    int fd;

    link_message_read(message, &supply, sizeof(supply));
    supply.directory[sizeof(supply.directory) - 1] = '\0';
    supply.path[sizeof(supply.path) - 1] = '\0';
    source.source = supply.source;
    fd = get_source(receiver, &supply, &source);
    /* a worker that is gone, or that is told nothing: its VM's start fails for want of files */
    (void)link_send(supply_fd, &source, sizeof(source), &fd, fd >= 0 ? 1 : 0);
    closer_close(receiver->closer, fd);
}

void receiver_forget(struct receiver *receiver, const struct link_message *message)
{
    struct link_forget forget;
    struct client *client;
    size_t kept = 0;

    link_message_read(message, &forget, sizeof(forget));
    client = find_client(receiver, forget.client);
    if (!client)
        return;
    for (size_t i = 0; i < client->count; i++) {
        if (client->fds[i].until <= forget.until)
            closer_close(receiver->closer, client->fds[i].fd);
        else
            client->fds[kept++] = client->fds[i];
    }
    client->count = kept;
    drop_if_empty(client);
}

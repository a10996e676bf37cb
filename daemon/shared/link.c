#include "shared/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "util/cleanup.h"

union control {
    char bytes[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

int link_send(int fd, const void *message, size_t size, const int *fds, size_t fd_count)
{
    union control control = { 0 };
    struct iovec part = { .iov_base = (void *)(uintptr_t)message, .iov_len = size };
    struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t n;

    if (fd_count > 0) {
        struct cmsghdr *c;

        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        c = CMSG_FIRSTHDR(&header);
        *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS,
                               .cmsg_len = CMSG_LEN(fd_count * sizeof(int)) };
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
    }
    do
        n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

static void take_fds(struct link_message *message, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        size_t count;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(message->fds, CMSG_DATA(c), count * sizeof(int));
        message->fd_count = count;
    }
}

/*
 * Errors: as link_receive().
 *
 * A peer that closes while it has not read all is told as ECONNRESET, once, before the messages
 * that it had sent (unix_release_sock() in net/unix/af_unix.c, and __skb_try_recv_datagram()). They
 * come next, and behind them the end.
 */
static ssize_t receive(int fd, struct msghdr *header, int flags)
{
    ssize_t n;

    do
        n = recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0)
        return errno == ENOTCONN ? -EPIPE : -errno;
    return n;
}

static int check(struct link_message *message, ssize_t n, int flags)
{
    if (n == 0 && message->fd_count == 0)
        return -EPIPE; /* the end: there are no empty messages */
    message->size = (size_t)n;
    if (message->size >= sizeof(message->head) && message->head.size == message->size &&
        (flags & MSG_TRUNC) == 0)
        return 0;
    link_message_release(message);
    return -EBADMSG;
}

int link_receive(int fd, struct link_message *ret)
{
    union control control;
    struct iovec room = { .iov_base = ret->bytes, .iov_len = sizeof(ret->bytes) };
    struct msghdr header = {
        .msg_iov = &room,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes), /* no more than LINK_FDS_MAX are received */
    };
    ssize_t n = receive(fd, &header, 0);

    ret->fd_count = 0;
    if (n < 0)
        return (int)n;
    take_fds(ret, &header);
    return check(ret, n, header.msg_flags);
}

int link_receive_plain(int fd, struct link_message *ret)
{
    struct iovec room = { .iov_base = ret->bytes, .iov_len = sizeof(ret->bytes) };
    struct msghdr header = { .msg_iov = &room, .msg_iovlen = 1 };
    ssize_t n = receive(fd, &header, MSG_PEEK);

    ret->fd_count = 0;
    if (n < 0)
        return (int)n;
    if (header.msg_flags & MSG_CTRUNC) /* it has descriptors, which a peek leaves where they are */
        return -EPROTO;
    header = (struct msghdr){ .msg_iov = &room, .msg_iovlen = 1 };
    n = receive(fd, &header, 0);
    return n < 0 ? (int)n : check(ret, n, header.msg_flags);
}

void link_message_read(const struct link_message *message, void *ret, size_t size)
{
    size_t known = message->size < size ? message->size : size;

    memset(ret, 0, size);
    memcpy(ret, message->bytes, known);
}

int link_message_take_fd(struct link_message *message, size_t index)
{
    return index < message->fd_count ? TAKE_FD(message->fds[index]) : -1;
}

void link_message_release(struct link_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->fd_count = 0;
}

#include "rpc/listen_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "util/cleanup.h"
#include "util/lock_file.h"

/* sd_listen_fds(3): 1 where a socket was taken, 0 where none was passed. */
static int take_from_systemd(struct listen_socket *listen_socket, struct error *err)
{
    int count = sd_listen_fds(1);

    if (count < 0)
        return error_set(err, count, "cannot take the socket from systemd: %s", strerror(-count));
    if (count == 0)
        return 0;
    if (count > 1)
        return error_set(err, -EINVAL, "systemd passed %d sockets; vmmd serves one", count);
    if (sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) <= 0)
        return error_set(err, -EINVAL,
                         "systemd passed something that is not a listening AF_UNIX stream socket");
    if (fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK) < 0)
        return error_set(err, -errno, "cannot use the socket from systemd: %s", strerror(errno));
    listen_socket->fd = SD_LISTEN_FDS_START;
    listen_socket->activated = true;
    return 1;
}

static void fill_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    strncpy(address->sun_path, path, sizeof(address->sun_path) - 1);
}

/* /run/vmmd, where nobody has made it yet; if that fails, what follows says why. */
static void make_parent(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

    snprintf(directory, sizeof(directory), "%s", path);
    (void)mkdir(dirname(directory), 0755);
}

/* Only who holds PATH.lock may replace a socket at PATH: two daemons at once cannot both. */
static int lock_path(struct listen_socket *listen_socket, const char *path, struct error *err)
{
    char lock[PATH_MAX];

    make_parent(path);
    snprintf(lock, sizeof(lock), "%s.lock", path);
    listen_socket->lock_fd = lock_file_open(AT_FDCWD, lock);
    if (listen_socket->lock_fd == -EWOULDBLOCK)
        return error_set(err, -EADDRINUSE, "another vmmd serves on '%s'", path);
    if (listen_socket->lock_fd < 0)
        return error_set(err, listen_socket->lock_fd,
                         "cannot serve on '%s': %s; give another place with --socket", path,
                         strerror(-listen_socket->lock_fd));
    return 0;
}

/* Removes a socket that nobody listens on. */
static int clear_stale(const struct sockaddr_un *address, struct error *err)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct stat st;

    if (fd < 0)
        return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
    if (lstat(address->sun_path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, -EEXIST, "'%s' is there and is not a socket, leaving it alone",
                         address->sun_path);
    /* a full backlog says EAGAIN: somebody listens */
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno != ECONNREFUSED)
        return error_set(err, -EADDRINUSE, "another program serves on '%s'", address->sun_path);
    unlink(address->sun_path);
    return 0;
}

static int bind_path(struct listen_socket *listen_socket, const char *path, struct error *err)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;
    mode_t mask;
    int r;

    fill_address(&address, path);
    r = lock_path(listen_socket, path, err);
    if (r == 0)
        r = clear_stale(&address, err);
    if (r < 0)
        return r;

    mask = umask(0177); /* no other thread of the daemon is there yet */
    r = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (r < 0 || listen(fd, SOMAXCONN) < 0)
        return error_set(err, -errno, "cannot serve on '%s': %s", path, strerror(errno));
    listen_socket->fd = TAKE_FD(fd);
    listen_socket->path = path;
    return 0;
}

int listen_socket_open(struct listen_socket *listen_socket, const char *path, struct error *err)
{
    int r;

    *listen_socket = (struct listen_socket){ .fd = -1, .lock_fd = -1 };
    r = take_from_systemd(listen_socket, err);
    if (r == 0)
        r = bind_path(listen_socket, path, err);
    if (r < 0)
        listen_socket_close(listen_socket);
    return r < 0 ? r : 0;
}

void listen_socket_unlink(struct listen_socket *listen_socket)
{
    if (listen_socket->path)
        unlink(listen_socket->path);
    listen_socket->path = NULL;
}

void listen_socket_close(struct listen_socket *listen_socket)
{
    listen_socket_unlink(listen_socket);
    if (listen_socket->fd >= 0)
        close(listen_socket->fd);
    if (listen_socket->lock_fd >= 0)
        close(listen_socket->lock_fd);
    *listen_socket = (struct listen_socket){ .fd = -1, .lock_fd = -1 };
}

/*
 * Listen socket: the one that systemd hands over, or one of our own.
 */
#pragma once

#include <stdbool.h>

#include "util/error.h"

struct listen_socket {
    int fd;           /* listening, nonblocking; the server takes it; -1: none, or taken */
    int lock_fd;      /* held as long as a socket of our own is served; else -1 */
    bool activated;   /* handed over by systemd */
    const char *path; /* of a socket of our own, to be unlinked; else NULL */
};

/*
 * Takes the socket that systemd passed (sd_listen_fds(3)); without one, binds path: mode 0600 from
 * the start, and a socket that is there already is replaced only when nobody listens on it. path
 * must stay valid.
 * Errors: -EADDRINUSE (somebody serves there), -EEXIST (something else is there), -EINVAL (systemd
 * passed something else), or what the system says.
 */
int listen_socket_open(struct listen_socket *listen_socket, const char *path, struct error *err);

/* Removes a socket of our own: nobody finds it any more. What is connected, or about to be, stays.
 */
void listen_socket_unlink(struct listen_socket *listen_socket);

/* Closes what was not taken, and removes a socket of our own. */
void listen_socket_close(struct listen_socket *listen_socket);

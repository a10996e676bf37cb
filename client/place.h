/*
 * Place: where a daemon was found, so that it is found there again.
 *
 * It is never looked for elsewhere then: another daemon's VM 3 is another VM.
 */
#pragma once

#include <limits.h>

#include "connection.h"
#include "util/error.h"

enum place_kind {
    PLACE_UNKNOWN, /* none was found yet */
    PLACE_SOCKET,  /* whoever listens there */
    PLACE_PRIVATE, /* the user's own, started if it does not run */
};

struct place {
    enum place_kind kind;
    char path[PATH_MAX]; /* of the socket, or of the private daemon's directory */
};

/* Connects to the daemon at path, which is at most PATH_MAX - 1 bytes long, and notes that as the
 * place. The place is untouched on failure. Errors: as connection_open() and
 * private_daemon_connect(). */
int place_find(struct place *place, enum place_kind kind, const char *path, struct connection **ret,
               struct error *err);

/* Connects to the daemon that is there now. It may take seconds, and may be called on any thread,
 * by one at a time. Errors: as before; -EINVAL (PLACE_UNKNOWN). */
int place_open(const struct place *place, struct connection **ret, struct error *err);

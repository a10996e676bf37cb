/*
 * Private daemon: a vmmd of the user's own, started by the first vmmctl that finds none, as tmux
 * starts its server. It ends by itself some time after its last VM and client.
 *
 * Its directory holds the socket, the lock that lets one of several first clients start it, its
 * log and its state. A directory that others could have prepared is refused: whoever owns the
 * socket gets the user's images.
 */
#pragma once

#include "connection.h"
#include "util/error.h"

/* Connects to the daemon in directory, starting it if none answers. Errors: -EPERM (the directory
 * is not safe), -ENOENT (no vmmd to be found), -ECHILD (it ended, and its log tells why), -ENOEXEC
 * (it ended, and its log is empty), -ETIMEDOUT, others. */
int private_daemon_connect(const char *directory, struct connection **ret, struct error *err);

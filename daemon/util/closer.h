/*
 * Closer: closes descriptors that clients sent, on threads that nobody waits for.
 *
 * close(2) may wait for the client itself, for as long as it likes: a file on a FUSE mount for the
 * program that serves it (fuse_flush(), Documentation/filesystems/fuse.rst), a socket for its peer
 * (SO_LINGER, socket(7)). So another thread is started where all there are may be held up, up to
 * a limit; what comes beyond stays open until one goes on. A thread with nothing to do stays for a
 * second, and looks every 20 ms: who closes many neither starts nor wakes one for each.
 */
#pragma once

#include <stdbool.h>

struct closer;

/* Errors: -ENOMEM. */
int closer_new(struct closer **ret);

/* At the end of the process, which closes what is left: threads that are held up are left behind.
 * Accepts NULL. */
void closer_free(struct closer *closer);

/* Never waits. Takes fd; accepts -1. */
void closer_close(struct closer *closer, int fd);

/* All threads are held up, and many descriptors wait: better not to receive more. */
bool closer_is_full(struct closer *closer);

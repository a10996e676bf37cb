/*
 * Attempt: one try to connect, on a thread of its own.
 *
 * connect(2) waits while a daemon accepts nobody, and starting a private daemon takes up to 10 s.
 * Whoever has keys and signals to listen to cannot wait for that. A child process could not do it:
 * the daemon would take the child for the client (SO_PEERCRED).
 */
#pragma once

#include <stdbool.h>

#include "place.h"

struct attempt;

/* Tries to connect to the daemon at place, which is copied. Errors: -ENOMEM, eventfd(2)'s,
 * pthread_create(3)'s. */
int attempt_new(const struct place *place, struct attempt **ret);

/* Accepts NULL, returns NULL. One that is not done goes on by itself, and what comes of it is
 * dropped. */
struct attempt *attempt_free(struct attempt *attempt);
DEFINE_CLEANUP(struct attempt *, attempt_free);

/* To poll for POLLIN: it is done. */
int attempt_fd(const struct attempt *attempt);

bool attempt_is_done(const struct attempt *attempt);

/* The connection that was made, of an attempt that is done. Errors: as place_open(). */
int attempt_take(struct attempt *attempt, struct connection **ret, struct error *err);

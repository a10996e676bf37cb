/*
 * Daemon under test: a vmmd of the benchmark's own, and a connection to it.
 */
#pragma once

#include <stdint.h>

struct daemon_under_test;
struct json_object;

/* Starts the vmmd at path, in a directory of its own, and connects. Ends the process on failure. */
struct daemon_under_test *daemon_under_test_start(const char *path);

/* Stops it by SIGTERM, waits, and removes its directory. */
void daemon_under_test_stop(struct daemon_under_test *daemon);

/*
 * Sends one request (a JSON text without id) with a descriptor (-1: none) and waits for its answer.
 * Returns the result, which the caller owns; ends the process on an error.
 */
struct json_object *daemon_under_test_call(struct daemon_under_test *daemon, int fd,
                                           const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Sink: standard output as the end of a stream: it takes a piece at a time, and never makes the
 * program wait, so that signals and keys are heard while whoever reads is slow.
 *
 * While a piece is pending the caller should read nothing more from the daemon. That way a slow
 * reader makes the daemon skip, which it counts, and nobody's memory grow.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sink {
    int fd;
    bool owned;  /* fd is a description of our own, non-blocking */
    char *bytes; /* pending: bytes[start..end) */
    size_t start;
    size_t end;
};

void sink_init(struct sink *sink);
void sink_deinit(struct sink *sink);

bool sink_is_pending(const struct sink *sink);

/* Takes bytes, allocated, of which size count; nothing may be pending. */
void sink_put(struct sink *sink, char *bytes, size_t size);

/* Writes what can be written now. Errors: write(2)'s; -EPIPE: nobody reads any more. */
int sink_flush(struct sink *sink);

/* Forgets what is pending. */
void sink_drop(struct sink *sink);

/*
 * Dispatch: from a line to the methods it calls (JSON-RPC 2.0 sections 4 to 6).
 */
#pragma once

#include <stddef.h>

struct connection;

/* One JSON text: makes a request, or begins a batch (connection->batch). What is wrong with it is
 * answered. */
void dispatch_line(struct connection *connection, const char *text, size_t length);

/* Makes the next request of the batch that was begun. Each may be a lot of work: the caller sees
 * that the other clients have their turns in between. */
void dispatch_next_of_batch(struct connection *connection);

/* Answers a line that was longer than limit bytes. */
void dispatch_refuse_line(struct connection *connection, size_t limit);

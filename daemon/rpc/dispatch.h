/*
 * Dispatch: from a line to the methods it calls (JSON-RPC 2.0 sections 4 to 6).
 */
#pragma once

#include <stddef.h>

struct connection;

/* One JSON text: a request or a batch. What is wrong with it is answered. */
void dispatch_line(struct connection *connection, const char *text, size_t length);

/* Answers a line that was longer than limit bytes. */
void dispatch_refuse_line(struct connection *connection, size_t limit);

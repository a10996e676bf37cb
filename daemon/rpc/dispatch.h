/*
 * Dispatch: from a line to the methods it calls (JSON-RPC 2.0 sections 4 to 6).
 */
#pragma once

#include <stddef.h>

struct peer;

/* One JSON text: makes a request, or begins a batch (peer->batch). What is wrong with it is
 * answered. */
void dispatch_line(struct peer *peer, const char *text, size_t length);

/* Makes the next request of the batch that was begun. Each may be a lot of work: the caller sees
 * that the other clients have their turns in between. */
void dispatch_next_of_batch(struct peer *peer);

/* The rest of the batch is not made: its client is gone. */
void dispatch_end_batch(struct peer *peer);

/* Answers a line that was longer than limit bytes. */
void dispatch_refuse_line(struct peer *peer, size_t limit);

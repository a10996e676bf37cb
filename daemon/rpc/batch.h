/*
 * Batch: several requests in a line. Their answers go out together, when the last is there
 * (JSON-RPC 2.0 section 6).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct evbuffer;
struct json_object;
struct peer;

struct rpc_batch {
    struct peer *peer;
    struct json_object *requests; /* owned */
    size_t next;                  /* of the requests, to be made */
    struct evbuffer *answers;     /* "[{...},{...}" */
    size_t size;                  /* what it adds to peer->batched */
    unsigned pending;
};

/* A batch that waits for `pending` calls and for rpc_batch_release(). Takes requests, an array.
 * Errors: NULL, out of memory. */
struct rpc_batch *rpc_batch_new(struct peer *peer, struct json_object *requests);

/* Whether an answer of length bytes is within what a peer's batches may hold. */
bool rpc_batch_has_room(const struct rpc_batch *batch, size_t length);

/* Adds the answer of a call. Errors: -ENOMEM. */
int rpc_batch_add(struct rpc_batch *batch, const char *text, size_t length);

/* A call was answered; or all calls of the batch have been made, or will not be. */
void rpc_batch_release(struct rpc_batch *batch);

#include "rpc/batch.h"

#include <errno.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <json-c/json.h>

#include "rpc/peer.h"

/* What the answers of a peer's batches may come to, until they are whole. */
#define BATCHED_MAX ((size_t)16 * 1024 * 1024)

struct rpc_batch *rpc_batch_new(struct peer *peer, struct json_object *requests)
{
    struct rpc_batch *batch = calloc(1, sizeof(*batch));

    if (batch)
        batch->answers = evbuffer_new();
    if (!batch || !batch->answers) {
        json_object_put(requests);
        free(batch);
        return NULL;
    }
    batch->peer = peer;
    batch->requests = requests;
    batch->pending = 1; /* rpc_batch_release() */
    return batch;
}

bool rpc_batch_has_room(const struct rpc_batch *batch, size_t length)
{
    return batch->peer->batched + length <= BATCHED_MAX;
}

int rpc_batch_add(struct rpc_batch *batch, const char *text, size_t length)
{
    const char *before = evbuffer_get_length(batch->answers) ? "," : "[";

    if (evbuffer_add(batch->answers, before, 1) < 0 ||
        evbuffer_add(batch->answers, text, length) < 0)
        return -ENOMEM;
    batch->peer->batched += length;
    batch->size += length;
    return 0;
}

/* The answers go out: nothing at all if there are none. */
static int send_answers(struct rpc_batch *batch)
{
    if (evbuffer_get_length(batch->answers) == 0)
        return 0;
    if (evbuffer_add(batch->answers, "]\n", 2) < 0)
        return -ENOMEM;
    return connection_send_buffer(&batch->peer->connection, batch->answers);
}

void rpc_batch_release(struct rpc_batch *batch)
{
    if (--batch->pending > 0)
        return;
    batch->peer->batched -= batch->size;
    if (send_answers(batch) < 0)
        peer_fail(batch->peer);
    evbuffer_free(batch->answers);
    json_object_put(batch->requests);
    free(batch);
}

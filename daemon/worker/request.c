#include "worker/request.h"

#include <errno.h>
#include <stdlib.h>

void request_queue_init(struct request_queue *queue)
{
    *queue = (struct request_queue){ .last = &queue->first };
    pthread_mutex_init(&queue->lock, NULL);
}

void request_queue_deinit(struct request_queue *queue)
{
    struct request *request;

    while ((request = request_queue_take(queue)))
        free(request);
    pthread_mutex_destroy(&queue->lock);
}

/* [lock] held. */
static bool has_input(const struct request_queue *queue)
{
    for (const struct request *request = queue->first; request; request = request->next)
        if (request->kind == REQUEST_INPUT)
            return true;
    return false;
}

int request_queue_put(struct request_queue *queue, const struct request *request)
{
    struct request *copy = malloc(sizeof(*copy));
    bool enough;

    if (!copy)
        return -ENOMEM;
    *copy = *request;
    copy->next = NULL;
    pthread_mutex_lock(&queue->lock);
    enough = request->kind == REQUEST_INPUT && has_input(queue);
    if (!enough) {
        *queue->last = copy;
        queue->last = &copy->next;
    }
    pthread_mutex_unlock(&queue->lock);
    if (enough)
        free(copy);
    return 0;
}

struct request *request_queue_take(struct request_queue *queue)
{
    struct request *request;

    pthread_mutex_lock(&queue->lock);
    request = queue->first;
    if (request) {
        queue->first = request->next;
        if (!queue->first)
            queue->last = &queue->first;
    }
    pthread_mutex_unlock(&queue->lock);
    return request;
}

bool request_queue_has_any(struct request_queue *queue)
{
    bool any;

    pthread_mutex_lock(&queue->lock);
    any = queue->first != NULL;
    pthread_mutex_unlock(&queue->lock);
    return any;
}

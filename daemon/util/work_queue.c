#include "util/work_queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct work_queue {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct work_item *first; /* [lock] */
    struct work_item **last; /* [lock] where the next item is hooked in */
    bool ending;             /* [lock] */
};

/* The next item, waiting for it; NULL once the queue is ending and nothing is left. */
static struct work_item *next_item(struct work_queue *queue)
{
    struct work_item *item;

    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->ending)
        pthread_cond_wait(&queue->changed, &queue->lock);
    item = queue->first;
    if (item) {
        queue->first = item->next;
        if (!queue->first)
            queue->last = &queue->first;
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

static void *work_queue_main(void *argument)
{
    struct work_queue *queue = argument;
    struct work_item *item;

    while ((item = next_item(queue)))
        item->fn(item->argument);
    return NULL;
}

int work_queue_new(struct work_queue **ret)
{
    struct work_queue *queue = calloc(1, sizeof(*queue));
    sigset_t all, old;
    int r;

    if (!queue)
        return -ENOMEM;
    queue->last = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&queue->thread, NULL, work_queue_main, queue);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0) {
        free(queue);
        return -r;
    }
    *ret = queue;
    return 0;
}

void work_queue_free(struct work_queue *queue)
{
    if (!queue)
        return;
    pthread_mutex_lock(&queue->lock);
    queue->ending = true;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);

    pthread_join(queue->thread, NULL);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

void work_queue_submit(struct work_queue *queue, struct work_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&queue->lock);
    *queue->last = item;
    queue->last = &item->next;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

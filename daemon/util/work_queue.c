#include "util/work_queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct work_queue {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct work_item *first; /* [lock] */
    struct work_item **last; /* [lock] where the next item is hooked in */
    bool ending;             /* [lock] */
    struct work_item *done;  /* [lock] a stack: the last that was done is the first */
    int done_fd;             /* [lock] readable while there are such */
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

static void hand_back(struct work_queue *queue, struct work_item *item)
{
    const uint64_t one = 1;
    ssize_t n;

    pthread_mutex_lock(&queue->lock);
    item->next = queue->done;
    queue->done = item;
    n = write(queue->done_fd, &one, sizeof(one));
    (void)n; /* a full counter is readable, too */
    pthread_mutex_unlock(&queue->lock);
}

/* All that are done; NULL: none. */
static struct work_item *take_done(struct work_queue *queue)
{
    struct work_item *stack;
    uint64_t count;
    ssize_t n;

    pthread_mutex_lock(&queue->lock);
    stack = queue->done;
    queue->done = NULL;
    n = read(queue->done_fd, &count, sizeof(count));
    (void)n; /* EAGAIN: another turn took them */
    pthread_mutex_unlock(&queue->lock);
    return stack;
}

static void *work_queue_main(void *argument)
{
    struct work_queue *queue = argument;
    struct work_item *item;

    while ((item = next_item(queue))) {
        bool finishes = item->done != NULL; /* or it may be gone after fn */

        item->fn(item->argument);
        if (finishes)
            hand_back(queue, item);
    }
    return NULL;
}

int work_queue_fd(const struct work_queue *queue)
{
    return queue->done_fd;
}

void work_queue_finish(struct work_queue *queue)
{
    struct work_item *stack = take_done(queue), *items = NULL;

    while (stack) { /* turned round: in the order in which they were done */
        struct work_item *next = stack->next;

        stack->next = items;
        items = stack;
        stack = next;
    }
    while (items) {
        struct work_item *next = items->next;

        items->done(items->argument);
        items = next;
    }
}

int work_queue_new(struct work_queue **ret)
{
    struct work_queue *queue = calloc(1, sizeof(*queue));
    sigset_t all, old;
    int r;

    if (!queue)
        return -ENOMEM;
    queue->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->done_fd < 0) {
        r = -errno;
        free(queue);
        return r;
    }
    queue->last = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&queue->thread, NULL, work_queue_main, queue);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0) {
        close(queue->done_fd);
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
    work_queue_finish(queue);
    close(queue->done_fd);
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

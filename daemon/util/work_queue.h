/*
 * Work queue: one thread that does, in order, what the loop thread must not wait for.
 */
#pragma once

struct work_queue;

typedef void (*work_fn)(void *argument);

/* An item; embedded in, or allocated with, what it is about. The queue's from submit until
 * fn, or if there is one, done runs. */
struct work_item {
    work_fn fn;   /* the queue's thread */
    work_fn done; /* by work_queue_finish(), after fn; NULL: the item is over after fn */
    void *argument;
    struct work_item *next; /* [lock] */
};

/* Errors: -ENOMEM, -EAGAIN (no more threads), -EMFILE. */
int work_queue_new(struct work_queue **ret);

/* Does what was submitted, then ends the thread, and calls what `done` is left: may block. Accepts
 * NULL. Loop thread. */
void work_queue_free(struct work_queue *queue);

/* Never waits for an item. Takes item. */
void work_queue_submit(struct work_queue *queue, struct work_item *item);

/* An eventfd, readable when items wait for work_queue_finish(). The queue's. */
int work_queue_fd(const struct work_queue *queue);

/* Calls `done` of those that were done. Loop thread. */
void work_queue_finish(struct work_queue *queue);

/*
 * Work queue: one thread that does, in order, what the loop thread must not wait for.
 */
#pragma once

struct work_queue;

typedef void (*work_fn)(void *argument);

/* An item; embedded in, or allocated with, what it is about. The queue's from submit until fn runs.
 */
struct work_item {
    work_fn fn;
    void *argument;
    struct work_item *next; /* [lock] */
};

/* Errors: -ENOMEM, -EAGAIN (no more threads). */
int work_queue_new(struct work_queue **ret);

/* Does what was submitted, then ends the thread: may block. Accepts NULL. */
void work_queue_free(struct work_queue *queue);

/* Never waits for an item. Takes item. */
void work_queue_submit(struct work_queue *queue, struct work_item *item);

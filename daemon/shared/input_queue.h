/*
 * Input queue: what is sent to a guest and has not been read by it yet.
 *
 * One thread puts, one takes: the loop, and the VM's (its vCPUs' threads, one at a time). There is
 * no lock, so that a VM's thread that the scheduler has set aside cannot hold up the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { INPUT_QUEUE_CAPACITY = 64 * 1024 }; /* bytes; a power of two */

struct input_queue;

/* NULL: out of memory. */
struct input_queue *input_queue_new(void);

/* Accepts NULL. Nobody may use the queue any more. */
void input_queue_free(struct input_queue *queue);

/* Takes as many of size bytes as there is room for. Not after input_queue_close(). Loop thread. */
size_t input_queue_put(struct input_queue *queue, const void *data, size_t size);

/* Nothing more will come. Loop thread. */
void input_queue_close(struct input_queue *queue);

/* Bytes that wait. Any thread. */
size_t input_queue_length(const struct input_queue *queue);

/* Whether it was closed, read to its end or not. Any thread. */
bool input_queue_is_closed(const struct input_queue *queue);

/* Moves up to size bytes to data; 0: none there now. VM's thread. */
size_t input_queue_take(struct input_queue *queue, void *data, size_t size);

/* Whether all was read and nothing more will come. VM's thread. */
bool input_queue_is_at_end(const struct input_queue *queue);

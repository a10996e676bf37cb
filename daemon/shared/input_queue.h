/*
 * Input queue: what is sent to a guest and has not been read by it yet.
 *
 * The daemon's loop thread puts, the VM's thread takes (its vCPUs' threads, one at a time). There
 * is no lock, so that a VM's thread that the scheduler has set aside cannot hold up the loop.
 *
 * It is memory that both map (memfd_create(2)), made when it is first needed. It is never on disk,
 * for people type passwords: bytes are zeroed as they are taken, and all of it is gone with those
 * who map it. Nobody can cut it short. Each side believes of the other's counter only what can be:
 * a worker that lies can make its own guest read less, or nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { INPUT_QUEUE_CAPACITY = 64 * 1024 }; /* bytes; a power of two */

struct input_queue;

/* Makes one, and *ret_fd, by which it is passed on; the caller's to close. Loop thread. Errors:
 * negative errno. */
int input_queue_new(struct input_queue **ret, int *ret_fd);

/* Maps one that was passed. The worker. Errors: -EBADMSG (it is none, or could be cut short), or
 * what mapping it says. */
int input_queue_map(int fd, struct input_queue **ret);

/* Accepts NULL. Nobody may use this mapping of it any more. */
void input_queue_free(struct input_queue *queue);

/* Takes as many of size bytes as there is room for. Not after input_queue_close(). Loop thread. */
size_t input_queue_put(struct input_queue *queue, const void *data, size_t size);

/* Nothing more will come. Loop thread. */
void input_queue_close(struct input_queue *queue);

/* Bytes that wait, at most INPUT_QUEUE_CAPACITY. Any thread. */
size_t input_queue_length(const struct input_queue *queue);

/* Whether it was closed, read to its end or not. Any thread. */
bool input_queue_is_closed(const struct input_queue *queue);

/* Moves up to size bytes to data; 0: none there now. VM's thread. */
size_t input_queue_take(struct input_queue *queue, void *data, size_t size);

/* Whether all was read and nothing more will come. VM's thread. */
bool input_queue_is_at_end(const struct input_queue *queue);

/*
 * A queue that takes the place of another is not ready before what waits in that was moved to it:
 * there is no room in it so long. One that is new is ready.
 */
void input_queue_await_move(struct input_queue *queue);
bool input_queue_is_ready(const struct input_queue *queue);

/* Moves what waits in `from`, and whether it is closed, to `to`, which is ready then. from: or
 * NULL. The worker; nobody takes of either meanwhile. */
void input_queue_move(struct input_queue *from, struct input_queue *to);

/*
 * Doorbell: how VM threads tell the loop thread that there is news. One eventfd for all of them.
 *
 * News is a set of bits per VM. While a VM's news has not been looked at, further news only adds
 * bits, and while anybody's has not, nobody writes the eventfd again: a guest that prints a million
 * characters does not cause a million wake-ups.
 */
#pragma once

#include <stdatomic.h>

struct event_base;
struct doorbell;

/* One for each who may ring; embedded. Must stay until its last news was handled. */
struct doorbell_button {
    struct doorbell_button *next; /* of those with news; whose turn it is, by the stack's order */
    _Atomic unsigned news;
};

typedef void (*doorbell_fn)(struct doorbell_button *button, unsigned news);

/* fn is called on the loop thread, once for each button with news. Errors: negative errno. */
int doorbell_new(struct event_base *base, doorbell_fn fn, struct doorbell **ret);

/* Nobody may begin to ring any more; waits for who is about to be done. Accepts NULL. Loop thread.
 */
void doorbell_free(struct doorbell *doorbell);

/* Handles the news there is, rung for or not: a thread that was set aside just before it rang keeps
 * the others' news waiting. Loop thread. */
void doorbell_answer(struct doorbell *doorbell);

/* Adds news (not 0). Any thread; never blocks. The button is not touched after what the handler of
 * this news may see: it may be freed there. */
void doorbell_ring(struct doorbell *doorbell, struct doorbell_button *button, unsigned news);

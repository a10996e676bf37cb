/*
 * Standby: threads that wait for a guest to run, so that a start need not wait for a thread to be
 * made. A thread whose guest is gone waits again, if few do.
 */
#pragma once

#include "util/error.h"

struct guest;
struct standby;

/* Makes the first thread. Control thread. Errors: -ENOMEM, -EAGAIN (no more threads). */
int standby_new(struct standby **ret);

/*
 * Has a thread run a guest (guest_thread_run()), which is the thread's until it is gone. Control
 * thread. Errors: -EAGAIN (no more threads).
 */
int standby_run(struct standby *standby, struct guest *guest, struct error *err);

/* Sees that a thread waits for the next guest: when nobody waits for anything. Control thread. */
void standby_replenish(struct standby *standby);

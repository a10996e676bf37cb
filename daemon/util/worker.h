/*
 * Worker: one thread that does, in order, what the loop thread must not wait for.
 */
#pragma once

struct worker;

typedef void (*worker_fn)(void *argument);

/* A job; embedded in, or allocated with, what it is about. The worker's from submit until fn runs.
 */
struct worker_job {
    worker_fn fn;
    void *argument;
    struct worker_job *next; /* [lock] */
};

/* Errors: -ENOMEM, -EAGAIN (no more threads). */
int worker_new(struct worker **ret);

/* Does what was submitted, then ends the thread: may block. Accepts NULL. */
void worker_free(struct worker *worker);

/* Never waits for a job. Takes job. */
void worker_submit(struct worker *worker, struct worker_job *job);

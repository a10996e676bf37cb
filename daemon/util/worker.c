#include "util/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct worker_job *first; /* [lock] */
    struct worker_job **last; /* [lock] where the next job is hooked in */
    bool ending;              /* [lock] */
};

/* The next job, waiting for it; NULL once the worker is ending and nothing is left. */
static struct worker_job *next_job(struct worker *worker)
{
    struct worker_job *job;

    pthread_mutex_lock(&worker->lock);
    while (!worker->first && !worker->ending)
        pthread_cond_wait(&worker->changed, &worker->lock);
    job = worker->first;
    if (job) {
        worker->first = job->next;
        if (!worker->first)
            worker->last = &worker->first;
    }
    pthread_mutex_unlock(&worker->lock);
    return job;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct worker_job *job;

    while ((job = next_job(worker)))
        job->fn(job->argument);
    return NULL;
}

int worker_new(struct worker **ret)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    sigset_t all, old;
    int r;

    if (!worker)
        return -ENOMEM;
    worker->last = &worker->first;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0) {
        free(worker);
        return -r;
    }
    *ret = worker;
    return 0;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);

    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

void worker_submit(struct worker *worker, struct worker_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&worker->lock);
    *worker->last = job;
    worker->last = &job->next;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

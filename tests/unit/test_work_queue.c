#include "unit_test.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "util/work_queue.h"

/* Jobs that write their number down, one after the other. */

enum { JOBS = 1000 };

struct notebook {
    unsigned numbers[JOBS]; /* written by the queue only */
    _Atomic unsigned count;
};

struct note {
    struct work_item item;
    struct notebook *notebook;
    unsigned number;
};

static void write_down(void *argument)
{
    struct note *note = argument;
    struct notebook *notebook = note->notebook;

    notebook->numbers[notebook->count++] = note->number;
    free(note); /* as jobs do that are embedded in what they free */
}

static void submit_note(struct work_queue *queue, struct notebook *notebook, unsigned number)
{
    struct note *note = calloc(1, sizeof(*note));

    if (!note)
        abort();
    *note = (struct note){
        .item = { .fn = write_down, .argument = note },
        .notebook = notebook,
        .number = number,
    };
    work_queue_submit(queue, &note->item);
}

static struct work_queue *new_queue(void)
{
    struct work_queue *queue;

    assert_int_equal(work_queue_new(&queue), 0);
    return queue;
}

static void jobs_are_done_in_the_order_they_came(void **state)
{
    static struct notebook notebook;
    struct work_queue *queue = new_queue();

    (void)state;
    for (unsigned i = 0; i < JOBS; i++)
        submit_note(queue, &notebook, i);
    work_queue_free(queue);
    assert_int_equal(notebook.count, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(notebook.numbers[i], i);
}

static void free_without_a_job_ends_the_thread(void **state)
{
    (void)state;
    work_queue_free(new_queue());
}

static void free_accepts_null(void **state)
{
    (void)state;
    work_queue_free(NULL);
}

/* Submitting while the queue is busy. */

struct gate {
    struct work_item item;
    sem_t entered;
    sem_t open;
};

static void wait_at_gate(void *argument)
{
    struct gate *gate = argument;

    sem_post(&gate->entered);
    sem_wait(&gate->open);
}

static void submit_does_not_wait_for_the_job_in_work(void **state)
{
    static struct notebook notebook;
    struct gate gate = { .item = { .fn = wait_at_gate, .argument = &gate } };
    struct work_queue *queue = new_queue();

    (void)state;
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    work_queue_submit(queue, &gate.item);
    sem_wait(&gate.entered);
    for (unsigned i = 0; i < JOBS; i++)
        submit_note(queue, &notebook, i);
    assert_int_equal(notebook.count, 0);

    sem_post(&gate.open);
    work_queue_free(queue);
    assert_int_equal(notebook.count, JOBS);
    sem_destroy(&gate.entered);
    sem_destroy(&gate.open);
}

/* Submitting from several threads, the queue's own among them. */

enum { SUBMITTERS = 4 };

struct submitter {
    pthread_t thread;
    struct work_queue *queue;
    struct notebook *notebook;
    unsigned first;
};

static void *submit_share(void *argument)
{
    const struct submitter *submitter = argument;

    for (unsigned i = 0; i < JOBS / SUBMITTERS; i++)
        submit_note(submitter->queue, submitter->notebook, submitter->first + i);
    return NULL;
}

static void no_job_of_several_threads_is_lost_or_done_twice(void **state)
{
    static struct notebook notebook;
    struct submitter submitters[SUBMITTERS];
    struct work_queue *queue = new_queue();
    bool seen[JOBS] = { false };

    (void)state;
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){ .queue = queue,
                                            .notebook = &notebook,
                                            .first = i * (JOBS / SUBMITTERS) };
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_share, &submitters[i]),
                         0);
    }
    for (unsigned i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_join(submitters[i].thread, NULL), 0);
    work_queue_free(queue);

    assert_int_equal(notebook.count, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_false(seen[notebook.numbers[i]]);
        seen[notebook.numbers[i]] = true;
    }
}

struct chain {
    struct work_item item;
    struct work_queue *queue;
    struct notebook *notebook;
};

static void submit_another(void *argument)
{
    struct chain *chain = argument;

    submit_note(chain->queue, chain->notebook, 1);
}

static void job_may_submit_another_even_while_the_queue_ends(void **state)
{
    static struct notebook notebook;
    struct work_queue *queue = new_queue();
    struct chain chain = { .item = { .fn = submit_another, .argument = &chain },
                           .queue = queue,
                           .notebook = &notebook };

    (void)state;
    work_queue_submit(queue, &chain.item);
    work_queue_free(queue);
    assert_int_equal(notebook.count, 1);
}

/* Handing back: `done`, on the thread that asks for it. */

struct errand {
    struct work_item item;
    pthread_t done_by;
    unsigned *order; /* how many were done before */
    unsigned place;
    bool worked;
};

static void work(void *argument)
{
    struct errand *errand = argument;

    errand->worked = true;
}

static void finish(void *argument)
{
    struct errand *errand = argument;

    assert_true(errand->worked);
    errand->done_by = pthread_self();
    errand->place = (*errand->order)++;
}

static void wait_for(struct work_queue *queue)
{
    struct pollfd pollfd = { .fd = work_queue_fd(queue), .events = POLLIN };

    assert_int_equal(poll(&pollfd, 1, 20000), 1);
}

static bool is_readable(struct work_queue *queue)
{
    struct pollfd pollfd = { .fd = work_queue_fd(queue), .events = POLLIN };

    return poll(&pollfd, 1, 0) == 1;
}

static void make_errands(struct errand *errands, unsigned count, unsigned *order)
{
    *order = 0;
    for (unsigned i = 0; i < count; i++)
        errands[i] = (struct errand){
            .item = { .fn = work, .done = finish, .argument = &errands[i] },
            .order = order,
        };
}

static void what_is_done_is_handed_back_in_order_on_the_askers_thread(void **state)
{
    struct work_queue *queue = new_queue();
    struct errand errands[100];
    unsigned order;

    (void)state;
    make_errands(errands, 100, &order);
    for (unsigned i = 0; i < 100; i++)
        work_queue_submit(queue, &errands[i].item);
    while (order < 100) {
        wait_for(queue);
        work_queue_finish(queue);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(errands[i].place, i);
        assert_true(pthread_equal(errands[i].done_by, pthread_self()));
    }
    assert_false(is_readable(queue));
    work_queue_finish(queue); /* nothing: harmless */
    work_queue_free(queue);
}

static void nothing_is_handed_back_before_it_is_asked_for(void **state)
{
    struct work_queue *queue = new_queue();
    struct errand errand;
    unsigned order;

    (void)state;
    assert_false(is_readable(queue));
    make_errands(&errand, 1, &order);
    work_queue_submit(queue, &errand.item);
    wait_for(queue);
    assert_int_equal(order, 0);
    work_queue_finish(queue);
    assert_int_equal(order, 1);
    work_queue_free(queue);
}

static void free_hands_back_what_is_left(void **state)
{
    struct work_queue *queue = new_queue();
    struct errand errands[3];
    unsigned order;

    (void)state;
    make_errands(errands, 3, &order);
    for (unsigned i = 0; i < 3; i++)
        work_queue_submit(queue, &errands[i].item);
    work_queue_free(queue);
    assert_int_equal(order, 3);
    assert_int_equal(errands[2].place, 2);
}

struct again {
    struct errand errand;
    struct work_queue *queue;
    unsigned left;
};

static void submit_again(void *argument)
{
    struct again *again = argument;

    assert_true(again->errand.worked);
    if (again->left-- > 0)
        work_queue_submit(again->queue, &again->errand.item);
}

static void what_is_handed_back_may_be_submitted_again(void **state)
{
    struct again again = { .left = 10 };

    (void)state;
    again.queue = new_queue();
    again.errand.item = (struct work_item){ .fn = work, .done = submit_again, .argument = &again };
    work_queue_submit(again.queue, &again.errand.item);
    while (again.left <= 10) {
        wait_for(again.queue);
        work_queue_finish(again.queue);
    }
    work_queue_free(again.queue);
    assert_true(again.errand.worked);
}

/* The thread itself. */

struct witness {
    struct work_item item;
    pthread_t thread;
    sigset_t mask;
};

static void look_around(void *argument)
{
    struct witness *witness = argument;

    witness->thread = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &witness->mask);
}

static void queue_has_a_thread_of_its_own_that_takes_no_signals(void **state)
{
    struct witness witness = { .item = { .fn = look_around, .argument = &witness } };
    struct work_queue *queue = new_queue();
    sigset_t mask;

    (void)state;
    work_queue_submit(queue, &witness.item);
    work_queue_free(queue);
    assert_false(pthread_equal(witness.thread, pthread_self()));
    assert_true(sigismember(&witness.mask, SIGTERM));
    assert_true(sigismember(&witness.mask, SIGHUP));
    assert_true(sigismember(&witness.mask, SIGUSR1));

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_done_in_the_order_they_came),
        cmocka_unit_test(free_without_a_job_ends_the_thread),
        cmocka_unit_test(free_accepts_null),
        cmocka_unit_test(submit_does_not_wait_for_the_job_in_work),
        cmocka_unit_test(no_job_of_several_threads_is_lost_or_done_twice),
        cmocka_unit_test(job_may_submit_another_even_while_the_queue_ends),
        cmocka_unit_test(what_is_done_is_handed_back_in_order_on_the_askers_thread),
        cmocka_unit_test(nothing_is_handed_back_before_it_is_asked_for),
        cmocka_unit_test(free_hands_back_what_is_left),
        cmocka_unit_test(what_is_handed_back_may_be_submitted_again),
        cmocka_unit_test(queue_has_a_thread_of_its_own_that_takes_no_signals),
    };

    return cmocka_run_group_tests_name("work_queue", tests, NULL, NULL);
}

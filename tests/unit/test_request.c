#include "unit_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/request.h"

static void put(struct request_queue *queue, enum request_kind kind)
{
    assert_int_equal(request_queue_put(queue, &(struct request){ .kind = kind }), 0);
}

static void assert_next(struct request_queue *queue, enum request_kind kind)
{
    struct request *request = request_queue_take(queue);

    assert_non_null(request);
    assert_int_equal(request->kind, kind);
    free(request);
}

static void new_queue_is_empty(void **state)
{
    struct request_queue queue;

    (void)state;
    request_queue_init(&queue);
    assert_false(request_queue_has_any(&queue));
    assert_null(request_queue_take(&queue));
    request_queue_deinit(&queue);
}

static void requests_come_in_their_order(void **state)
{
    struct request_queue queue;

    (void)state;
    request_queue_init(&queue);
    put(&queue, REQUEST_PAUSE);
    put(&queue, REQUEST_RESUME);
    put(&queue, REQUEST_PAUSE);
    assert_true(request_queue_has_any(&queue));
    assert_next(&queue, REQUEST_PAUSE);
    put(&queue, REQUEST_END);
    assert_next(&queue, REQUEST_RESUME);
    assert_next(&queue, REQUEST_PAUSE);
    assert_next(&queue, REQUEST_END);
    assert_false(request_queue_has_any(&queue));
    put(&queue, REQUEST_PAUSE); /* where it was emptied */
    assert_next(&queue, REQUEST_PAUSE);
    request_queue_deinit(&queue);
}

static void request_is_a_copy(void **state)
{
    struct request given = { .kind = REQUEST_END, .end = { .reason = GUEST_END_KILLED } };
    struct request_queue queue;
    struct request *taken;

    (void)state;
    request_queue_init(&queue);
    snprintf(given.end.sentence, sizeof(given.end.sentence), "somebody killed it");
    given.end.by.pid = 7;
    assert_int_equal(request_queue_put(&queue, &given), 0);
    given.end.sentence[0] = '\0';
    taken = request_queue_take(&queue);
    assert_int_equal(taken->end.reason, GUEST_END_KILLED);
    assert_int_equal(taken->end.by.pid, 7);
    assert_string_equal(taken->end.sentence, "somebody killed it");
    free(taken);
    request_queue_deinit(&queue);
}

/* A guest that does not look is not sent a million of them. */
static void news_of_input_that_waits_already_is_enough(void **state)
{
    struct request_queue queue;

    (void)state;
    request_queue_init(&queue);
    for (int i = 0; i < 1000; i++)
        put(&queue, REQUEST_INPUT);
    put(&queue, REQUEST_PAUSE);
    put(&queue, REQUEST_INPUT);
    assert_next(&queue, REQUEST_INPUT);
    put(&queue, REQUEST_INPUT); /* which is news again, behind the others */
    assert_next(&queue, REQUEST_PAUSE);
    assert_next(&queue, REQUEST_INPUT);
    assert_null(request_queue_take(&queue));
    request_queue_deinit(&queue);
}

static void other_requests_are_all_kept(void **state)
{
    struct request_queue queue;

    (void)state;
    request_queue_init(&queue);
    for (int i = 0; i < 100; i++)
        put(&queue, i % 2 ? REQUEST_PAUSE : REQUEST_RESUME);
    for (int i = 0; i < 100; i++)
        assert_next(&queue, i % 2 ? REQUEST_PAUSE : REQUEST_RESUME);
    request_queue_deinit(&queue);
}

/* A sanitizer sees what is not freed. */
static void what_nobody_took_is_forgotten(void **state)
{
    struct request_queue queue;

    (void)state;
    request_queue_init(&queue);
    put(&queue, REQUEST_PAUSE);
    put(&queue, REQUEST_END);
    request_queue_deinit(&queue);
}

/* Several vCPUs take, whichever comes out first. */

enum { TAKERS = 3, REQUESTS = 30000 };

static struct request_queue shared;
static _Atomic bool is_over;

static void *take_all(void *argument)
{
    unsigned *count = argument;
    struct request *request;

    while ((request = request_queue_take(&shared)) || !is_over)
        if (request) {
            ++*count;
            free(request);
        } else {
            sched_yield();
        }
    return NULL;
}

static void each_request_is_taken_by_one_thread(void **state)
{
    unsigned counts[TAKERS] = { 0 }, sum = 0;
    pthread_t threads[TAKERS];

    (void)state;
    request_queue_init(&shared);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &counts[i]), 0);
    for (int i = 0; i < REQUESTS; i++)
        put(&shared, REQUEST_PAUSE);
    is_over = true;
    for (int i = 0; i < TAKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sum += counts[i];
    }
    assert_int_equal(sum, REQUESTS);
    request_queue_deinit(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_queue_is_empty),
        cmocka_unit_test(requests_come_in_their_order),
        cmocka_unit_test(request_is_a_copy),
        cmocka_unit_test(news_of_input_that_waits_already_is_enough),
        cmocka_unit_test(other_requests_are_all_kept),
        cmocka_unit_test(what_nobody_took_is_forgotten),
        cmocka_unit_test(each_request_is_taken_by_one_thread),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}

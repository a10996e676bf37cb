#include "unit_test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/time.h>

#include <event2/event.h>

#include "util/list.h"
#include "vm/doorbell.h"

enum { VISITORS = 8, TURNS = 500, DEADLINE_S = 20 };

#define NEWS_GONE 0x80000000u /* a thread's last */

/* Who rings. What the handler is to do with its news depends on the test. */
struct visitor {
    struct doorbell_button button;
    struct house *house;
    void (*handle)(struct visitor *visitor, unsigned news);
    unsigned calls;      /* [loop] */
    unsigned news;       /* [loop] all that ever came */
    unsigned rings_left; /* from its handler */
    pthread_t thread;
    sem_t heard; /* posted by the handler, once for each ring of the thread */
    _Atomic unsigned printed;
    unsigned seen; /* [loop] of printed */
};

/* The loop, and those who ring at it. */
struct house {
    struct event_base *base;
    struct doorbell *doorbell;
    struct event *deadline;
    bool late;
    unsigned gone; /* [loop] visitors that said so */
    unsigned served_count;
    struct visitor *served[VISITORS]; /* [loop] in this order, the first of them */
    struct visitor visitors[VISITORS];
};

static void on_news(struct doorbell_button *button, unsigned news)
{
    struct visitor *visitor = LIST_ENTRY(button, struct visitor, button);
    struct house *house = visitor->house;

    if (house->served_count < VISITORS)
        house->served[house->served_count++] = visitor;
    visitor->calls++;
    visitor->news |= news;
    if (visitor->handle)
        visitor->handle(visitor, news);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct house *house = context;

    (void)fd, (void)what;
    house->late = true;
}

static void open_house(struct house *house)
{
    static const struct timeval deadline = { .tv_sec = DEADLINE_S };

    *house = (struct house){ .base = event_base_new() };
    assert_non_null(house->base);
    assert_int_equal(doorbell_new(house->base, on_news, &house->doorbell), 0);
    house->deadline = event_new(house->base, -1, 0, on_deadline, house);
    assert_non_null(house->deadline);
    assert_int_equal(event_add(house->deadline, &deadline), 0);
    for (int i = 0; i < VISITORS; i++) {
        house->visitors[i].house = house;
        sem_init(&house->visitors[i].heard, 0, 0);
    }
}

static void close_house(struct house *house)
{
    for (int i = 0; i < VISITORS; i++)
        sem_destroy(&house->visitors[i].heard);
    doorbell_free(house->doorbell);
    event_free(house->deadline);
    event_base_free(house->base);
}

static void ring(struct visitor *visitor, unsigned news)
{
    doorbell_ring(visitor->house->doorbell, &visitor->button, news);
}

/* One turn of the loop: what has rung is served, without waiting for more. */
static void turn(struct house *house)
{
    event_base_loop(house->base, EVLOOP_NONBLOCK);
}

static void nobody_is_served_who_has_not_rung(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    turn(&house);
    assert_int_equal(house.served_count, 0);
    close_house(&house);
}

static void news_reaches_the_handler_once(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    ring(&house.visitors[0], 5);
    turn(&house);
    turn(&house);
    assert_int_equal(house.visitors[0].calls, 1);
    assert_int_equal(house.visitors[0].news, 5);
    close_house(&house);
}

static void news_before_anybody_looked_comes_together(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    ring(&house.visitors[0], 1);
    ring(&house.visitors[0], 1);
    ring(&house.visitors[0], 8);
    turn(&house);
    assert_int_equal(house.visitors[0].calls, 1);
    assert_int_equal(house.visitors[0].news, 9);
    close_house(&house);
}

static void news_after_somebody_looked_comes_again(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    for (unsigned i = 1; i <= 3; i++) {
        ring(&house.visitors[0], 2);
        turn(&house);
        assert_int_equal(house.visitors[0].calls, i);
    }
    close_house(&house);
}

static void first_to_ring_is_first_served_and_all_in_one_turn(void **state)
{
    static const int order[] = { 3, 0, 7, 1 };
    struct house house;

    (void)state;
    open_house(&house);
    for (int i = 0; i < 4; i++)
        ring(&house.visitors[order[i]], 1);
    ring(&house.visitors[3], 2); /* keeps its place */
    turn(&house);
    assert_int_equal(house.served_count, 4);
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(house.served[i], &house.visitors[order[i]]);
    assert_int_equal(house.visitors[3].news, 3);
    close_house(&house);
}

static void ring_again(struct visitor *visitor, unsigned news)
{
    (void)news;
    if (visitor->rings_left > 0) {
        visitor->rings_left--;
        ring(visitor, 4);
    }
}

static void button_may_be_rung_from_its_own_handler(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    house.visitors[0].handle = ring_again;
    house.visitors[0].rings_left = 2;
    ring(&house.visitors[0], 1);
    for (int i = 0; i < 3; i++)
        turn(&house);
    assert_int_equal(house.visitors[0].calls, 3);
    assert_int_equal(house.visitors[0].news, 5);
    turn(&house);
    assert_int_equal(house.visitors[0].calls, 3);
    close_house(&house);
}

static void ring_neighbour(struct visitor *visitor, unsigned news)
{
    (void)news;
    ring(&visitor->house->visitors[1], 4);
}

static void button_that_waits_may_be_rung_from_the_handler_before_it(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    house.visitors[0].handle = ring_neighbour;
    ring(&house.visitors[0], 1);
    ring(&house.visitors[1], 1);
    turn(&house);
    turn(&house);
    assert_int_equal(house.visitors[1].calls, 1);
    assert_int_equal(house.visitors[1].news, 5);
    close_house(&house);
}

static void free_accepts_null(void **state)
{
    (void)state;
    doorbell_free(NULL);
}

/* Threads that ring. */

/* Turns the loop until all have gone; on a lost ring, until the deadline. */
static void turn_until_all_gone(struct house *house)
{
    while (house->gone < VISITORS && !house->late)
        event_base_loop(house->base, EVLOOP_ONCE);
    for (int i = 0; house->late && i < VISITORS; i++)
        for (int n = 0; n < TURNS; n++)
            sem_post(&house->visitors[i].heard); /* so that nobody waits on */
}

static void run_threads(struct house *house, void *(*body)(void *),
                        void (*handle)(struct visitor *visitor, unsigned news))
{
    for (int i = 0; i < VISITORS; i++) {
        house->visitors[i].handle = handle;
        assert_int_equal(
            pthread_create(&house->visitors[i].thread, NULL, body, &house->visitors[i]), 0);
    }
    turn_until_all_gone(house);
    for (int i = 0; i < VISITORS; i++)
        assert_int_equal(pthread_join(house->visitors[i].thread, NULL), 0);
    assert_false(house->late);
}

static void *ring_and_wait(void *argument)
{
    struct visitor *visitor = argument;

    for (unsigned i = 0; i < TURNS; i++) {
        ring(visitor, 1u << i % 31);
        sem_wait(&visitor->heard);
    }
    ring(visitor, NEWS_GONE);
    return NULL;
}

static void answer(struct visitor *visitor, unsigned news)
{
    if (news & NEWS_GONE)
        visitor->house->gone++;
    else
        sem_post(&visitor->heard);
}

static void no_ring_of_many_threads_is_lost(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    run_threads(&house, ring_and_wait, answer);
    for (int i = 0; i < VISITORS; i++) {
        assert_int_equal(house.visitors[i].calls, TURNS + 1);
        assert_int_equal(house.visitors[i].news, UINT32_MAX);
    }
    close_house(&house);
}

static void *print_and_ring(void *argument)
{
    struct visitor *visitor = argument;

    for (unsigned i = 0; i < 10 * TURNS; i++) {
        atomic_fetch_add(&visitor->printed, 1);
        ring(visitor, 1u << i % 31);
    }
    ring(visitor, NEWS_GONE);
    return NULL;
}

static void look(struct visitor *visitor, unsigned news)
{
    visitor->seen = atomic_load(&visitor->printed);
    visitor->house->gone += (news & NEWS_GONE) != 0;
}

static void what_was_done_before_a_ring_is_seen_by_its_handler(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    run_threads(&house, print_and_ring, look);
    for (int i = 0; i < VISITORS; i++) {
        assert_int_equal(house.visitors[i].seen, 10 * TURNS);
        assert_int_equal(house.visitors[i].news, UINT32_MAX);
        assert_in_range(house.visitors[i].calls, 1, 10 * TURNS + 1);
    }
    close_house(&house);
}

static void *ring_the_first(void *argument)
{
    const struct visitor *visitor = argument;
    struct visitor *first = &visitor->house->visitors[0];
    unsigned index = (unsigned)(visitor - visitor->house->visitors);

    for (unsigned i = 0; i < TURNS; i++)
        ring(first, 1u << index);
    ring(first, 0x100u << index);
    return NULL;
}

static void count_gone(struct visitor *visitor, unsigned news)
{
    (void)visitor;
    for (unsigned bit = 0x100; bit < 0x100u << VISITORS; bit <<= 1)
        visitor->house->gone += (news & bit) != 0;
}

static void several_threads_may_ring_one_button(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    run_threads(&house, ring_the_first, count_gone);
    assert_int_equal(house.visitors[0].news, 0xffff);
    for (int i = 1; i < VISITORS; i++)
        assert_int_equal(house.visitors[i].calls, 0);
    close_house(&house);
}

/* Buttons that are freed by the handler of their last news, as VMs are. */

static void *send_leavers(void *argument)
{
    struct visitor *visitor = argument;

    for (unsigned i = 0; i < TURNS / 10; i++) {
        struct visitor *leaver = calloc(1, sizeof(*leaver));

        if (!leaver)
            abort();
        leaver->house = visitor->house;
        leaver->handle = visitor->handle;
        ring(leaver, 1);
        ring(leaver, NEWS_GONE);
    }
    ring(visitor, 2);
    return NULL;
}

static void see_off(struct visitor *visitor, unsigned news)
{
    if (news & NEWS_GONE)
        free(visitor);
    else if (news & 2)
        visitor->house->gone++;
}

static void button_may_be_freed_by_the_handler_of_its_last_news(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    run_threads(&house, send_leavers, see_off);
    close_house(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_served_who_has_not_rung),
        cmocka_unit_test(news_reaches_the_handler_once),
        cmocka_unit_test(news_before_anybody_looked_comes_together),
        cmocka_unit_test(news_after_somebody_looked_comes_again),
        cmocka_unit_test(first_to_ring_is_first_served_and_all_in_one_turn),
        cmocka_unit_test(button_may_be_rung_from_its_own_handler),
        cmocka_unit_test(button_that_waits_may_be_rung_from_the_handler_before_it),
        cmocka_unit_test(free_accepts_null),
        cmocka_unit_test(no_ring_of_many_threads_is_lost),
        cmocka_unit_test(what_was_done_before_a_ring_is_seen_by_its_handler),
        cmocka_unit_test(several_threads_may_ring_one_button),
        cmocka_unit_test(button_may_be_freed_by_the_handler_of_its_last_news),
    };

    return cmocka_run_group_tests_name("doorbell", tests, NULL, NULL);
}

/*
 * Backoff: when it is tried again, and when no more.
 */
#include "unit_test.h"

#include "backoff.h"

#define START_NS (1000 * CLOCK_NS_PER_SEC)

/* Attempts that take no time, until it gives up; *ret_ns is when the last was due. */
static int count_attempts(struct backoff *backoff, int64_t *ret_ns)
{
    int64_t now_ns = *ret_ns;
    int count = 0;

    backoff_begin(backoff, now_ns);
    while (backoff_next(backoff, now_ns, ret_ns)) {
        now_ns = *ret_ns;
        count++;
    }
    return count;
}

static void first_attempt_is_soon(void **state)
{
    struct backoff backoff = { 0 };
    int64_t next_ns;

    (void)state;
    backoff_begin(&backoff, START_NS);
    assert_true(backoff_next(&backoff, START_NS, &next_ns));
    assert_int_equal(next_ns, START_NS + BACKOFF_FIRST_NS);
}

static void pauses_grow_up_to_the_longest(void **state)
{
    struct backoff backoff = { 0 };
    int64_t now_ns = START_NS, next_ns, pause_ns = BACKOFF_FIRST_NS;

    (void)state;
    backoff_begin(&backoff, now_ns);
    for (int i = 0; i < 12; i++) {
        assert_true(backoff_next(&backoff, now_ns, &next_ns));
        assert_int_equal(next_ns - now_ns, pause_ns);
        now_ns = next_ns;
        pause_ns = pause_ns * 2 < BACKOFF_LONGEST_NS ? pause_ns * 2 : BACKOFF_LONGEST_NS;
    }
    assert_int_equal(pause_ns, BACKOFF_LONGEST_NS);
}

static void gives_up_at_the_limit_and_not_long_before(void **state)
{
    struct backoff backoff = { 0 };
    int64_t last_ns = START_NS;

    (void)state;
    count_attempts(&backoff, &last_ns);
    assert_true(last_ns >= START_NS + BACKOFF_LIMIT_NS);
    assert_true(last_ns < START_NS + BACKOFF_LIMIT_NS + BACKOFF_LONGEST_NS);
}

static void time_that_attempts_take_counts(void **state)
{
    struct backoff backoff = { 0 };
    int64_t next_ns = 7;

    (void)state;
    backoff_begin(&backoff, START_NS);
    assert_true(backoff_next(&backoff, START_NS + BACKOFF_LIMIT_NS - 1, &next_ns));
    next_ns = 7;
    assert_false(backoff_next(&backoff, START_NS + BACKOFF_LIMIT_NS, &next_ns));
    assert_int_equal(next_ns, 7);
}

static void what_was_steady_starts_afresh(void **state)
{
    struct backoff backoff = { 0 };
    int64_t now_ns = START_NS, next_ns;

    (void)state;
    count_attempts(&backoff, &now_ns);
    backoff_end(&backoff, now_ns);
    now_ns += BACKOFF_STEADY_NS;
    backoff_begin(&backoff, now_ns);
    assert_true(backoff_next(&backoff, now_ns, &next_ns));
    assert_int_equal(next_ns - now_ns, BACKOFF_FIRST_NS);
}

static void what_fails_again_at_once_is_not_tried_more_often(void **state)
{
    struct backoff backoff = { 0 };
    int64_t now_ns = START_NS, next_ns, pause_ns = 0;

    (void)state;
    for (int i = 0; i < 12; i++) {
        backoff_begin(&backoff, now_ns);
        assert_true(backoff_next(&backoff, now_ns, &next_ns));
        assert_true(next_ns - now_ns > pause_ns || next_ns - now_ns == BACKOFF_LONGEST_NS);
        pause_ns = next_ns - now_ns;
        now_ns = next_ns;
        backoff_end(&backoff, now_ns);
        now_ns += BACKOFF_STEADY_NS - 1;
    }
    assert_int_equal(pause_ns, BACKOFF_LONGEST_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_attempt_is_soon),
        cmocka_unit_test(pauses_grow_up_to_the_longest),
        cmocka_unit_test(gives_up_at_the_limit_and_not_long_before),
        cmocka_unit_test(time_that_attempts_take_counts),
        cmocka_unit_test(what_was_steady_starts_afresh),
        cmocka_unit_test(what_fails_again_at_once_is_not_tried_more_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

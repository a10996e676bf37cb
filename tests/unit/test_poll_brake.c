#include "unit_test.h"

#include "worker/poll_brake.h"

#define US INT64_C(1000)
#define MS (1000 * US)

/* Polls `count` times, 10 us of CPU time apart; the last wait. */
static uint64_t poll_on(struct poll_brake *brake, unsigned count, int64_t *now)
{
    uint64_t nap = 0;

    for (unsigned i = 0; i < count; i++) {
        nap = poll_brake_poll(brake, *now);
        *now += 10 * US;
    }
    return nap;
}

static void first_polls_are_free(void **state)
{
    struct poll_brake brake = { 0 };
    int64_t now = 1000 * MS;

    (void)state;
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(poll_on(&brake, 1, &now), 0);
    assert_int_equal(poll_on(&brake, 1, &now), 50 * US);
}

static void waits_double_up_to_2_ms(void **state)
{
    static const int64_t waits[] = { 50, 100, 200, 400, 800, 1600, 2000, 2000 };
    struct poll_brake brake = { 0 };
    int64_t now = 1000 * MS;

    (void)state;
    poll_on(&brake, 32, &now);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        assert_int_equal(poll_on(&brake, 1, &now), waits[i] * US);
}

static void guest_that_polls_without_end_waits_nearly_all_the_time(void **state)
{
    struct poll_brake brake = { 0 };
    int64_t now = 1000 * MS;

    (void)state;
    poll_on(&brake, 1000, &now);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(poll_on(&brake, 1, &now), 2 * MS);
}

static void release_sets_the_guest_free(void **state)
{
    struct poll_brake brake = { 0 };
    int64_t now = 1000 * MS;

    (void)state;
    poll_on(&brake, 100, &now);
    poll_brake_release(&brake);
    assert_int_equal(poll_on(&brake, 32, &now), 0);
    assert_int_equal(poll_on(&brake, 1, &now), 50 * US);
}

static void polls_with_work_between_them_are_free(void **state)
{
    struct poll_brake brake = { 0 };
    int64_t now = 1000 * MS;

    (void)state;
    for (unsigned i = 0; i < 1000; i++, now += MS + 1)
        assert_int_equal(poll_brake_poll(&brake, now), 0);
}

static void work_sets_a_braked_guest_free(void **state)
{
    struct poll_brake brake = { 0 };
    int64_t now = 1000 * MS;

    (void)state;
    poll_on(&brake, 100, &now);
    now += 2 * MS;
    assert_int_equal(poll_on(&brake, 32, &now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_polls_are_free),
        cmocka_unit_test(waits_double_up_to_2_ms),
        cmocka_unit_test(guest_that_polls_without_end_waits_nearly_all_the_time),
        cmocka_unit_test(release_sets_the_guest_free),
        cmocka_unit_test(polls_with_work_between_them_are_free),
        cmocka_unit_test(work_sets_a_braked_guest_free),
    };

    return cmocka_run_group_tests_name("poll_brake", tests, NULL, NULL);
}

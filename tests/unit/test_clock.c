#include "unit_test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/clock.h"

static void assert_formatted(int64_t realtime_ns, const char *expected)
{
    char text[CLOCK_TEXT_SIZE];

    assert_ptr_equal(clock_format(realtime_ns, text), text);
    assert_string_equal(text, expected);
    assert_int_equal(strlen(text), CLOCK_TEXT_SIZE - 1);
}

static void monotonic_never_goes_back(void **state)
{
    int64_t last = clock_monotonic_ns();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_monotonic_ns();

        assert_true(now >= last);
        last = now;
    }
}

static void realtime_is_the_system_clock_in_nanoseconds(void **state)
{
    struct timespec before, after;
    int64_t now;

    (void)state;
    clock_gettime(CLOCK_REALTIME, &before);
    now = clock_realtime_ns();
    clock_gettime(CLOCK_REALTIME, &after);
    assert_true(now >= before.tv_sec * CLOCK_NS_PER_SEC + before.tv_nsec);
    assert_true(now <= after.tv_sec * CLOCK_NS_PER_SEC + after.tv_nsec);
}

static void the_epoch_is_the_beginning_of_1970(void **state)
{
    (void)state;
    assert_formatted(0, "1970-01-01T00:00:00.000Z");
}

static void every_field_has_its_full_width(void **state)
{
    (void)state;
    assert_formatted(INT64_C(1769860800) * CLOCK_NS_PER_SEC, "2026-01-31T12:00:00.000Z");
    assert_formatted(INT64_C(1234567890) * CLOCK_NS_PER_SEC + 7 * CLOCK_NS_PER_MS,
                     "2009-02-13T23:31:30.007Z");
}

static void leap_day_is_a_day(void **state)
{
    (void)state;
    assert_formatted(INT64_C(1709164800) * CLOCK_NS_PER_SEC, "2024-02-29T00:00:00.000Z");
}

static void parts_of_a_millisecond_are_dropped_so_that_no_time_lies_ahead(void **state)
{
    (void)state;
    assert_formatted(INT64_C(1709251199) * CLOCK_NS_PER_SEC + 999999999,
                     "2024-02-29T23:59:59.999Z");
}

static void the_last_time_of_64_bits_has_its_text(void **state)
{
    (void)state;
    assert_formatted(INT64_MAX, "2262-04-11T23:47:16.854Z");
}

static void the_time_zone_of_the_daemon_does_not_matter(void **state)
{
    (void)state;
    setenv("TZ", "XXX-11:30", 1);
    tzset();
    assert_formatted(0, "1970-01-01T00:00:00.000Z");
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_never_goes_back),
        cmocka_unit_test(realtime_is_the_system_clock_in_nanoseconds),
        cmocka_unit_test(the_epoch_is_the_beginning_of_1970),
        cmocka_unit_test(every_field_has_its_full_width),
        cmocka_unit_test(leap_day_is_a_day),
        cmocka_unit_test(parts_of_a_millisecond_are_dropped_so_that_no_time_lies_ahead),
        cmocka_unit_test(the_last_time_of_64_bits_has_its_text),
        cmocka_unit_test(the_time_zone_of_the_daemon_does_not_matter),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

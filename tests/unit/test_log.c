#include "unit_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "captured_stderr.h"
#include "util/clock.h"
#include "util/log.h"

/* The test's own clock: linked, it takes the place of util/clock.c's. */
static int64_t now_ns;

int64_t clock_monotonic_ns(void)
{
    return now_ns;
}

/* Whether the next line is allowed; *ret_logged is what the limit itself had to say. */
static int allows(struct log_limit *limit, char *ret_logged, size_t size)
{
    struct captured_stderr captured;
    int allowed;

    captured_stderr_begin(&captured);
    allowed = log_limit_allows(limit);
    captured_stderr_end(&captured, ret_logged, size);
    return allowed;
}

static void assert_allows(struct log_limit *limit, int expected, const char *expected_logged)
{
    char logged[256];

    assert_int_equal(allows(limit, logged, sizeof(logged)), expected);
    assert_string_equal(logged, expected_logged);
}

static void every_level_has_a_word(void **state)
{
    static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
                                             LOG_LEVEL_DEBUG };
    static const char *const words[] = { "error", "warning", "info", "debug" };

    (void)state;
    for (int i = 0; i < 4; i++) {
        enum log_level level;

        assert_int_equal(log_level_from_string(words[i], &level), 0);
        assert_int_equal(level, levels[i]);
        assert_string_equal(log_level_to_string(level), words[i]);
    }
}

static void unknown_word_is_no_level_and_changes_nothing(void **state)
{
    static const char *const words[] = { "", "Info", "information", "warn", "7" };

    (void)state;
    for (int i = 0; i < 5; i++) {
        enum log_level level = LOG_LEVEL_DEBUG;

        assert_int_equal(log_level_from_string(words[i], &level), -EINVAL);
        assert_int_equal(level, LOG_LEVEL_DEBUG);
    }
}

static void line_says_who_and_how_urgent(void **state)
{
    struct captured_stderr captured;
    char logged[256];

    (void)state;
    captured_stderr_begin(&captured);
    log_error("no %s", "luck");
    log_warning("beware");
    log_info("it is %d", 5);
    captured_stderr_end(&captured, logged, sizeof(logged));
    assert_string_equal(logged, "vmmd: error: no luck\n"
                                "vmmd: warning: beware\n"
                                "vmmd: info: it is 5\n");
}

static void line_about_a_vm_says_its_name(void **state)
{
    struct captured_stderr captured;
    char logged[256];

    (void)state;
    captured_stderr_begin(&captured);
    log_vm_line(LOG_LEVEL_INFO, 7, "lab1", "is %s", "gone");
    captured_stderr_end(&captured, logged, sizeof(logged));
    assert_string_equal(logged, "vmmd: info: VM 'lab1': is gone\n");
}

static void only_lines_as_urgent_as_the_level_are_logged(void **state)
{
    struct captured_stderr captured;
    char logged[256];

    (void)state;
    captured_stderr_begin(&captured);
    log_debug("not by default");
    log_set_level(LOG_LEVEL_WARNING);
    log_info("no");
    log_vm_line(LOG_LEVEL_INFO, 1, "a", "no");
    log_warning("yes");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("now");
    log_set_level(LOG_LEVEL_INFO);
    captured_stderr_end(&captured, logged, sizeof(logged));
    assert_string_equal(logged, "vmmd: warning: yes\nvmmd: debug: now\n");
}

static void line_too_long_is_cut_and_still_a_line(void **state)
{
    char text[4096], logged[4096];
    struct captured_stderr captured;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    captured_stderr_begin(&captured);
    log_info("%s", text);
    log_vm_line(LOG_LEVEL_INFO, 1, "a", "%s", text);
    log_info("short");
    captured_stderr_end(&captured, logged, sizeof(logged));

    assert_memory_equal(logged, "vmmd: info: xxx", 15);
    assert_non_null(strstr(logged, "x\nvmmd: info: VM 'a': xxx"));
    assert_non_null(strstr(logged, "x\nvmmd: info: short\n"));
}

static void line_that_would_have_to_wait_is_dropped(void **state)
{
    static char logged[1 << 20]; /* more than a pipe holds */
    struct captured_stderr captured;
    int last;

    (void)state;
    captured_stderr_begin(&captured);
    for (int i = 0; i < 1 << 16; i++)
        log_info("%06d", i);
    captured_stderr_end(&captured, logged, sizeof(logged));
    assert_memory_equal(logged, "vmmd: info: 000000\nvmmd: info: 000001\n", 38);
    last = atoi(logged + strlen(logged) - strlen("000000\n"));
    assert_in_range(last, 1, (1 << 16) - 2);
    assert_int_equal(strlen(logged), (size_t)(last + 1) * strlen("vmmd: info: 000000\n"));
}

static void limit_allows_a_burst_in_each_second(void **state)
{
    struct log_limit limit = { .burst = 2 };

    (void)state;
    now_ns = 10 * CLOCK_NS_PER_SEC;
    assert_allows(&limit, 1, "");
    assert_allows(&limit, 1, "");
    now_ns += CLOCK_NS_PER_SEC - 1;
    assert_allows(&limit, 0, "");
    now_ns++;
    assert_allows(&limit, 1, "vmmd: warning: 1 more lines like the last were not logged\n");
    assert_allows(&limit, 1, "");
    assert_allows(&limit, 0, "");
}

static void limit_says_once_how_many_lines_it_kept_back(void **state)
{
    struct log_limit limit = { .burst = 1 };

    (void)state;
    now_ns = 20 * CLOCK_NS_PER_SEC;
    assert_allows(&limit, 1, "");
    for (int i = 0; i < 5; i++)
        assert_allows(&limit, 0, "");
    now_ns += 100 * CLOCK_NS_PER_SEC;
    assert_allows(&limit, 1, "vmmd: warning: 5 more lines like the last were not logged\n");
    now_ns += CLOCK_NS_PER_SEC;
    assert_allows(&limit, 1, "");
}

static void limit_that_was_never_reached_says_nothing(void **state)
{
    struct log_limit limit = { .burst = 1 };

    (void)state;
    for (int i = 1; i < 5; i++) {
        now_ns = i * CLOCK_NS_PER_SEC;
        assert_allows(&limit, 1, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_has_a_word),
        cmocka_unit_test(unknown_word_is_no_level_and_changes_nothing),
        cmocka_unit_test(line_says_who_and_how_urgent),
        cmocka_unit_test(line_about_a_vm_says_its_name),
        cmocka_unit_test(only_lines_as_urgent_as_the_level_are_logged),
        cmocka_unit_test(line_too_long_is_cut_and_still_a_line),
        cmocka_unit_test(line_that_would_have_to_wait_is_dropped),
        cmocka_unit_test(limit_allows_a_burst_in_each_second),
        cmocka_unit_test(limit_says_once_how_many_lines_it_kept_back),
        cmocka_unit_test(limit_that_was_never_reached_says_nothing),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

/*
 * Arguments: how many options a command may have. What each kind of option takes is tested end to
 * end.
 */
#include "unit_test.h"

#include <errno.h>
#include <stdio.h>

#include "arguments.h"
#include "captured_stderr.h"

enum { NAME_SIZE = 24 };

/* A command with so many options of its own: --option0 and on. */
struct options {
    char names[ARGUMENTS_OPTIONS_MAX + 1][NAME_SIZE];
    struct option_row rows[ARGUMENTS_OPTIONS_MAX + 2];
};

static void fill(struct options *options, unsigned count)
{
    *options = (struct options){ .rows[0].kind = OPTION_END };
    for (unsigned i = 0; i < count; i++) {
        snprintf(options->names[i], NAME_SIZE, "option%u", i);
        options->rows[i] = (struct option_row){ .kind = OPTION_ON, .name = options->names[i] };
    }
}

static unsigned count_rows(const struct option_row *rows)
{
    unsigned count = 0;

    while (rows[count].kind != OPTION_END)
        count++;
    return count;
}

static int read_last_option(const struct options *options, struct arguments *ret)
{
    char last[NAME_SIZE + 2], *argv[] = { "vmmctl", last, NULL };

    snprintf(last, sizeof(last), "--%s", options->rows[count_rows(options->rows) - 1].name);
    return arguments_read(2, argv, options->rows, ARGUMENTS_OF_COMMAND, ret);
}

static void a_command_may_have_as_many_options_as_it_says(void **state)
{
    struct arguments arguments = { 0 };
    struct options options;
    struct json_object *value;

    (void)state;
    fill(&options, ARGUMENTS_OPTIONS_MAX - count_rows(arguments_common));
    assert_int_equal(read_last_option(&options, &arguments), 0);
    assert_true(json_object_object_get_ex(arguments.options,
                                          options.rows[count_rows(options.rows) - 1].name, &value));
    arguments_deinit(&arguments);
}

static void one_option_more_is_refused_and_not_left_out(void **state)
{
    struct captured_stderr captured;
    struct arguments arguments = { 0 };
    struct options options;
    char said[256];
    int r;

    (void)state;
    fill(&options, ARGUMENTS_OPTIONS_MAX - count_rows(arguments_common) + 1);
    captured_stderr_begin(&captured);
    r = read_last_option(&options, &arguments);
    captured_stderr_end(&captured, said, sizeof(said));
    assert_int_equal(r, -E2BIG);
    assert_string_equal(said,
                        "vmmctl: there are more options than the 32 that can be told apart\n");
    arguments_deinit(&arguments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_may_have_as_many_options_as_it_says),
        cmocka_unit_test(one_option_more_is_refused_and_not_left_out),
    };

    return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}

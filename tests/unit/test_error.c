#include "unit_test.h"

#include <errno.h>
#include <string.h>

#include "util/error.h"

static void set_stores_code_and_sentence_and_returns_the_code(void **state)
{
    struct error err = { 0 };

    (void)state;
    assert_int_equal(error_set(&err, -EBUSY, "VM '%s' has %d readers", "lab1", 3), -EBUSY);
    assert_int_equal(err.code, -EBUSY);
    assert_string_equal(err.text, "VM 'lab1' has 3 readers");
}

static void set_replaces_what_was_there(void **state)
{
    struct error err = { 0 };

    (void)state;
    error_set(&err, -EBUSY, "a sentence that is rather long");
    error_set(&err, -ENOENT, "short");
    assert_int_equal(err.code, -ENOENT);
    assert_string_equal(err.text, "short");
}

static void set_without_an_error_still_returns_the_code(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, -EIO, "nobody reads %s", "this"), -EIO);
}

static void set_about_says_which_parameter_is_to_blame(void **state)
{
    struct error err = { 0 };

    (void)state;
    assert_int_equal(error_set_about(&err, "name", -EEXIST, "VM %d has the name '%s'", 3, "lab1"),
                     -EEXIST);
    assert_int_equal(err.code, -EEXIST);
    assert_string_equal(err.about, "name");
    assert_string_equal(err.text, "VM 3 has the name 'lab1'");
    assert_int_equal(error_set_about(NULL, "name", -EIO, "nobody reads %s", "this"), -EIO);
}

static void error_that_is_about_no_parameter_says_so(void **state)
{
    struct error err = { .about = "name" };

    (void)state;
    error_set(&err, -EIO, "Input/output error");
    assert_null(err.about);
}

static void prefix_leaves_what_the_error_is_about(void **state)
{
    struct error err = { 0 };

    (void)state;
    error_set_about(&err, "image", -ENOENT, "No such file or directory");
    error_prefix(&err, "cannot open image 'a.bin'");
    assert_string_equal(err.about, "image");
}

static void prefix_goes_before_the_sentence_with_a_colon(void **state)
{
    struct error err = { 0 };

    (void)state;
    error_set(&err, -ENOENT, "No such file or directory");
    assert_int_equal(error_prefix(&err, "cannot open image '%s'", "a.bin"), -ENOENT);
    assert_int_equal(error_prefix(&err, "cannot start VM '%s'", "lab1"), -ENOENT);
    assert_int_equal(err.code, -ENOENT);
    assert_string_equal(err.text, "cannot start VM 'lab1': cannot open image 'a.bin': "
                                  "No such file or directory");
}

static void text_too_long_is_cut_and_terminated(void **state)
{
    char long_text[2 * ERROR_TEXT_SIZE];
    struct error err = { 0 };

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';

    error_set(&err, -EINVAL, "%s", long_text);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);

    assert_int_equal(error_prefix(&err, "first"), -EINVAL);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    assert_memory_equal(err.text, "first: xxx", 10);
}

static void prefix_that_fills_the_text_leaves_only_itself(void **state)
{
    char long_text[2 * ERROR_TEXT_SIZE];
    struct error err = { 0 };

    (void)state;
    memset(long_text, 'p', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';

    error_set(&err, -EINVAL, "the cause");
    assert_int_equal(error_prefix(&err, "%s", long_text), -EINVAL);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    assert_int_equal(strspn(err.text, "p"), ERROR_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_stores_code_and_sentence_and_returns_the_code),
        cmocka_unit_test(set_replaces_what_was_there),
        cmocka_unit_test(set_without_an_error_still_returns_the_code),
        cmocka_unit_test(set_about_says_which_parameter_is_to_blame),
        cmocka_unit_test(error_that_is_about_no_parameter_says_so),
        cmocka_unit_test(prefix_leaves_what_the_error_is_about),
        cmocka_unit_test(prefix_goes_before_the_sentence_with_a_colon),
        cmocka_unit_test(text_too_long_is_cut_and_terminated),
        cmocka_unit_test(prefix_that_fills_the_text_leaves_only_itself),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}

/*
 * Input on its way to a guest: what is sent, what is sent again, and when the end is told.
 */
#include "unit_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "input.h"
#include "protocol/base64.h"

enum { CHUNK = 4096, DATA_SIZE = 3 * CHUNK + 17 };

static char data[DATA_SIZE];

static int fill_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < DATA_SIZE; i++)
        data[i] = (char)(i % 251);
    return 0;
}

/* What a request carries; it is released. */
static size_t sent_by(struct json_object *params, char *bytes)
{
    const char *text = field_text(params, "data");
    size_t size;

    assert_int_equal(field_integer(params, "vm"), 7);
    assert_true(field_boolean(params, "wait"));
    assert_int_equal(base64_decode(text, strlen(text), bytes, &size), 0);
    json_object_put(params);
    return size;
}

static void answer(struct input *input, size_t accepted)
{
    _cleanup_json_ struct json_object *result = json_object_new_object();

    json_object_object_add(result, "accepted", json_object_new_int64((int64_t)accepted));
    assert_int_equal(input_accepted(input, result), accepted);
    input->rest_until_ns = 0; /* no clock here */
}

static void nothing_is_sent_of_nothing(void **state)
{
    struct input input = { 0 };

    (void)state;
    assert_null(input_next(&input, 7));
    assert_int_equal(input_add(&input, "", 0), 0);
    assert_null(input_next(&input, 7));
    input_deinit(&input);
}

static void only_one_request_is_under_way(void **state)
{
    char bytes[CHUNK + 3];
    struct input input = { 0 };

    (void)state;
    input_add(&input, "ab", 2);
    assert_int_equal(sent_by(input_next(&input, 7), bytes), 2);
    input_add(&input, "cd", 2);
    assert_null(input_next(&input, 7));
    answer(&input, 2);
    assert_int_equal(sent_by(input_next(&input, 7), bytes), 2);
    assert_memory_equal(bytes, "cd", 2);
    input_deinit(&input);
}

static void all_arrives_in_order_however_little_is_accepted(void **state)
{
    static const size_t accepts[] = { CHUNK, 1, 0, 2000, 17 };
    char bytes[CHUNK + 3], arrived[DATA_SIZE];
    struct input input = { 0 };
    struct json_object *params;
    size_t size = 0;

    (void)state;
    for (size_t at = 0; at < DATA_SIZE; at += 1229)
        input_add(&input, data + at, DATA_SIZE - at < 1229 ? DATA_SIZE - at : 1229);
    for (size_t turn = 0; (params = input_next(&input, 7)); turn++) {
        size_t sent = sent_by(params, bytes),
               n = accepts[turn % 5] < sent ? accepts[turn % 5] : sent;

        memcpy(arrived + size, bytes, n);
        size += n;
        answer(&input, n);
    }
    assert_int_equal(size, DATA_SIZE);
    assert_memory_equal(arrived, data, DATA_SIZE);
    assert_int_equal(input_size(&input), 0);
    input_deinit(&input);
}

static void the_end_goes_with_the_last_bytes_and_again_if_they_do(void **state)
{
    char bytes[CHUNK + 3];
    struct input input = { 0 };
    struct json_object *params;

    (void)state;
    input_add(&input, data, CHUNK + 10);
    input_end(&input);
    params = input_next(&input, 7);
    assert_false(field_boolean(params, "eof"));
    sent_by(params, bytes);
    answer(&input, CHUNK);
    for (int i = 0; i < 2; i++) {
        assert_false(input.closed);
        params = input_next(&input, 7);
        assert_true(field_boolean(params, "eof"));
        assert_int_equal(sent_by(params, bytes), i == 0 ? 10 : 6);
        answer(&input, i == 0 ? 4 : 6);
    }
    assert_true(input.closed);
    assert_null(input_next(&input, 7));
    input_deinit(&input);
}

static void an_end_that_comes_late_goes_alone(void **state)
{
    char bytes[CHUNK + 3];
    struct input input = { 0 };
    struct json_object *params;

    (void)state;
    input_add(&input, "x", 1);
    sent_by(input_next(&input, 7), bytes);
    input_end(&input);
    answer(&input, 1);
    params = input_next(&input, 7);
    assert_true(field_boolean(params, "eof"));
    assert_int_equal(sent_by(params, bytes), 0);
    answer(&input, 0);
    assert_true(input.closed);
    input_deinit(&input);
}

static void what_was_refused_is_not_sent_again(void **state)
{
    char bytes[CHUNK + 3];
    struct input input = { 0 };

    (void)state;
    input_add(&input, "x", 1);
    sent_by(input_next(&input, 7), bytes);
    input_refused(&input);
    assert_null(input_next(&input, 7));
    input_deinit(&input);
}

static void what_was_not_answered_is_not_sent_again(void **state)
{
    _cleanup_free_ char *bytes = malloc(DATA_SIZE);
    struct input input = { 0 };

    (void)state;
    assert_int_equal(input_unanswered(&input), 0);
    assert_int_equal(input_add(&input, data, CHUNK + 5), 0);
    assert_int_equal(sent_by(input_next(&input, 7), bytes), CHUNK);
    assert_int_equal(input_unanswered(&input), CHUNK);
    assert_int_equal(input_unanswered(&input), 0);
    assert_int_equal(sent_by(input_next(&input, 7), bytes), 5);
    assert_memory_equal(bytes, data + CHUNK, 5);
    answer(&input, 5);
    assert_null(input_next(&input, 7));
    input_deinit(&input);
}

static void end_that_was_not_answered_is_sent_again(void **state)
{
    struct input input = { 0 };
    struct json_object *params;
    char bytes[CHUNK];

    (void)state;
    assert_int_equal(input_add(&input, data, 3), 0);
    input_end(&input);
    assert_int_equal(sent_by(input_next(&input, 7), bytes), 3);
    assert_int_equal(input_unanswered(&input), 3);
    params = input_next(&input, 7);
    assert_true(field_boolean(params, "eof"));
    assert_int_equal(sent_by(params, bytes), 0);
    answer(&input, 0);
    assert_null(input_next(&input, 7));
    input_deinit(&input);
}

static void after_a_part_there_is_a_rest(void **state)
{
    _cleanup_json_ struct json_object *result = json_object_new_object();
    char bytes[CHUNK + 3];
    struct input input = { 0 };

    (void)state;
    json_object_object_add(result, "accepted", json_object_new_int64(1));
    input_add(&input, "xy", 2);
    assert_int_equal(input_rest_ms(&input), 0);
    sent_by(input_next(&input, 7), bytes);
    input_accepted(&input, result);
    assert_true(input.rest_until_ns > 0);
    input_deinit(&input);
}

static void more_than_the_most_is_refused_whole(void **state)
{
    _cleanup_free_ char *much = calloc(1, INPUT_MAX);
    struct input input = { 0 };

    (void)state;
    assert_non_null(much);
    assert_int_equal(input_add(&input, much, INPUT_MAX), 0);
    assert_int_equal(input_add(&input, "x", 1), -ENOBUFS);
    assert_int_equal(input_size(&input), INPUT_MAX);
    input_deinit(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_of_nothing),
        cmocka_unit_test(only_one_request_is_under_way),
        cmocka_unit_test(all_arrives_in_order_however_little_is_accepted),
        cmocka_unit_test(the_end_goes_with_the_last_bytes_and_again_if_they_do),
        cmocka_unit_test(an_end_that_comes_late_goes_alone),
        cmocka_unit_test(what_was_refused_is_not_sent_again),
        cmocka_unit_test(what_was_not_answered_is_not_sent_again),
        cmocka_unit_test(end_that_was_not_answered_is_sent_again),
        cmocka_unit_test(after_a_part_there_is_a_rest),
        cmocka_unit_test(more_than_the_most_is_refused_whole),
    };

    return cmocka_run_group_tests(tests, fill_data, NULL);
}

/*
 * json_write() writes what json-c writes while there is memory.
 */
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/json_writer.h"

/* Takes value. */
static void assert_written(struct json_object *value, const char *expected)
{
    size_t length;
    char *text = json_write(value, &length);

    assert_non_null(text);
    assert_int_equal(strlen(text), length);
    assert_string_equal(text, expected);
    assert_string_equal(text, json_object_to_json_string_ext(
                                  value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    free(text);
    json_object_put(value);
}

static void assert_unchanged(const char *text)
{
    assert_written(json_tokener_parse(text), text);
}

static void writes_each_kind_of_value(void **state)
{
    (void)state;
    assert_written(NULL, "null");
    assert_unchanged("[null,true,false,0,\"\",[],{}]");
    assert_unchanged("{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":2}");
}

static void writes_integers_of_64_bits(void **state)
{
    (void)state;
    assert_unchanged("[-1,-9223372036854775808,9223372036854775807,18446744073709551615]");
}

static void writes_real_numbers_as_they_were_read(void **state)
{
    (void)state;
    assert_unchanged("[1.0,1.50,-0.0,1e5,1E+05,2.5e-3,1e400]");
    assert_unchanged("3.14159265358979323846264338327950288419716939937510582097494459");
}

static void escapes_what_must_be_and_nothing_else(void **state)
{
    (void)state;
    assert_unchanged("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\x7f\xc3\xa9\"");
    assert_unchanged("{\"\\\"a\\n\":1}");
}

static void writes_a_long_string(void **state)
{
    enum { SIZE = 100000 };
    char *expected = malloc(SIZE + 3);

    (void)state;
    assert_non_null(expected);
    memset(expected, 'x', SIZE + 2);
    expected[0] = expected[SIZE + 1] = '"';
    expected[SIZE + 2] = '\0';
    assert_unchanged(expected);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_kind_of_value),
        cmocka_unit_test(writes_integers_of_64_bits),
        cmocka_unit_test(writes_real_numbers_as_they_were_read),
        cmocka_unit_test(escapes_what_must_be_and_nothing_else),
        cmocka_unit_test(writes_a_long_string),
    };

    return cmocka_run_group_tests_name("json_writer", tests, NULL, NULL);
}

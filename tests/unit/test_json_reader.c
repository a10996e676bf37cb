/*
 * json_read() makes of each text what json-c's parser makes of it while there is memory.
 */
#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/json_reader.h"
#include "protocol/json_text.h"

static struct json_object *read_text(const char *text, size_t length)
{
    const struct json_text_limits limits = { .depth = 64, .values = SIZE_MAX };
    struct json_text_fault fault;
    struct json_object *value;
    char *exact = malloc(length); /* for a sanitizer to see what is read beyond it */

    assert_non_null(exact);
    memcpy(exact, text, length);
    if (json_text_check(exact, length, limits, &fault) < 0)
        fail_msg("'%s' is no JSON: %s", text, fault.what);
    assert_int_equal(json_read(exact, length, &value), 0);
    free(exact);
    return value;
}

static void assert_same(const char *text)
{
    struct json_object *value = read_text(text, strlen(text)), *theirs;
    enum json_tokener_error error;

    theirs = json_tokener_parse_verbose(text, &error);
    assert_int_equal(error, json_tokener_success);
    if (!json_object_equal(value, theirs))
        fail_msg("'%s' was read as %s", text, json_object_to_json_string(value));
    assert_string_equal(json_object_to_json_string(value), json_object_to_json_string(theirs));
    json_object_put(value);
    json_object_put(theirs);
}

static void assert_string(const char *text, const char *expected, size_t length)
{
    struct json_object *value = read_text(text, strlen(text));

    assert_true(json_object_is_type(value, json_type_string));
    assert_int_equal(json_object_get_string_len(value), length);
    assert_memory_equal(json_object_get_string(value), expected, length);
    json_object_put(value);
}

static void reads_words(void **state)
{
    (void)state;
    assert_same("true");
    assert_same("false");
    assert_same(" [ null , true,false ] ");
    assert_null(read_text("null", 4));
}

static void reads_integers_of_64_bits(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "7",
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "-9223372036854775808",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char array[64];

        assert_same(texts[i]);
        snprintf(array, sizeof(array), "[%s,%s]", texts[i], texts[i]);
        assert_same(array);
    }
}

static void keeps_how_a_real_number_was_written(void **state)
{
    (void)state;
    assert_same("[1.0,1.50,-0.0,1e5,1E+05,2.5e-3,1e400,0.1e-400]");
    assert_same("3.14159265358979323846264338327950288419716939937510582097494459");
}

static void reads_strings_with_escapes(void **state)
{
    (void)state;
    assert_string("\"\"", "", 0);
    assert_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    assert_string("\"\\u0041\\u00e9\\u20AC\\uD83D\\ude00\"",
                  "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10);
    assert_string("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
                  "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11);
    assert_string("\"a\\u0000b\"", "a\0b", 3);
    /* json-c 0.16 takes this pair's character for half a pair */
    assert_string("\"\\ud836\\udd1e\"", "\xf0\x9d\xa4\x9e", 4);
}

static void reads_containers(void **state)
{
    (void)state;
    assert_same("[]");
    assert_same("{}");
    assert_same("[[],{},[[1]],{\"a\":{\"b\":[2,{\"c\":null}]}}]");
    assert_same(" { \"a\" : 1 , \"b\" : [ 1 , 2 ] , \"\" : \"\" } ");
    assert_same("{\"a\\u00e9\":1,\"a\\\"b\":2}");
}

static void last_member_of_a_name_counts(void **state)
{
    (void)state;
    assert_same("{\"a\":1,\"b\":2,\"a\":3}");
}

static void reads_more_members_than_json_c_has_room_for_at_first(void **state)
{
    char text[8192] = "{";
    size_t length = 1;

    (void)state;
    for (int i = 0; i < 300; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s\"name %d\":%d",
                                   i ? "," : "", i, i);
    snprintf(text + length, sizeof(text) - length, "}");
    assert_same(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_words),
        cmocka_unit_test(reads_integers_of_64_bits),
        cmocka_unit_test(keeps_how_a_real_number_was_written),
        cmocka_unit_test(reads_strings_with_escapes),
        cmocka_unit_test(reads_containers),
        cmocka_unit_test(last_member_of_a_name_counts),
        cmocka_unit_test(reads_more_members_than_json_c_has_room_for_at_first),
    };

    return cmocka_run_group_tests_name("json_reader", tests, NULL, NULL);
}

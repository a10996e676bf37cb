#include "unit_test.h"

#include <stdbool.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/base64.h"
#include "protocol/json_text.h"
#include "protocol/limits.h"
#include "rpc/output_text.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void assert_text(enum output_encoding encoding, const char *data, size_t size, bool final,
                        const char *expected, size_t expected_used)
{
    size_t used = SIZE_MAX;
    struct json_object *text =
        output_text_new(encoding, (const unsigned char *)data, size, final, &used);

    assert_int_equal(used, expected_used);
    assert_int_equal(json_object_get_string_len(text), strlen(expected));
    assert_string_equal(json_object_get_string(text), expected);
    json_object_put(text);
}

/* All of the bytes are used, whether more may come or not. */
static void assert_utf8(const char *data, size_t size, const char *expected)
{
    assert_text(OUTPUT_UTF8, data, size, false, expected, size);
    assert_text(OUTPUT_UTF8, data, size, true, expected, size);
}

static void base64_keeps_every_byte(void **state)
{
    (void)state;
    assert_text(OUTPUT_BASE64, "", 0, false, "", 0);
    assert_text(OUTPUT_BASE64, "Hello!\n", 7, false, "SGVsbG8hCg==", 7);
    assert_text(OUTPUT_BASE64, "\0\xff\x80", 3, true, "AP+A", 3);
}

static void base64_never_waits_for_more(void **state)
{
    (void)state;
    assert_text(OUTPUT_BASE64, "\xe2\x82", 2, false, "4oI=", 2);
}

static void valid_utf8_stays_as_it_is(void **state)
{
    static const char text[] = "plain, \xc3\xa4, \xe2\x82\xac, \xf0\x9f\x98\x80\n";

    (void)state;
    assert_utf8(text, strlen(text), text);
    assert_utf8("", 0, "");
}

static void nul_is_a_character(void **state)
{
    struct json_object *text;
    size_t used;

    (void)state;
    text = output_text_new(OUTPUT_UTF8, (const unsigned char *)"a\0b", 3, false, &used);
    assert_int_equal(used, 3);
    assert_int_equal(json_object_get_string_len(text), 3);
    assert_memory_equal(json_object_get_string(text), "a\0b", 3);
    json_object_put(text);
}

static void each_byte_that_is_in_no_sequence_becomes_one_replacement(void **state)
{
    (void)state;
    assert_utf8("\xff", 1, REPLACEMENT);
    assert_utf8("a\x80z", 3, "a" REPLACEMENT "z");
    assert_utf8("\xc0\x80", 2, REPLACEMENT REPLACEMENT);                 /* overlong NUL */
    assert_utf8("\xed\xa0\x80", 3, REPLACEMENT REPLACEMENT REPLACEMENT); /* a surrogate */
    assert_utf8("\xf4\x90\x80\x80", 4, REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT);
}

static void sequence_broken_off_by_another_character_is_replaced(void **state)
{
    (void)state;
    assert_utf8("\xe2\x82z", 3, REPLACEMENT REPLACEMENT "z");
    assert_utf8("\xc3\xc3\xa4", 3, REPLACEMENT "\xc3\xa4");
}

static void sequence_that_is_not_whole_waits_for_the_rest(void **state)
{
    (void)state;
    assert_text(OUTPUT_UTF8, "a\xc3", 2, false, "a", 1);
    assert_text(OUTPUT_UTF8, "a\xe2\x82", 3, false, "a", 1);
    assert_text(OUTPUT_UTF8, "a\xf0\x9f\x98", 4, false, "a", 1);
    assert_text(OUTPUT_UTF8, "\xf0", 1, false, "", 0);
}

static void sequence_that_is_not_whole_at_the_very_end_is_replaced(void **state)
{
    (void)state;
    assert_text(OUTPUT_UTF8, "a\xc3", 2, true, "a" REPLACEMENT, 2);
    assert_text(OUTPUT_UTF8, "a\xf0\x9f\x98", 4, true, "a" REPLACEMENT REPLACEMENT REPLACEMENT, 4);
}

/* Chunks of any size, what is not used being given again: the text is the same. */
static void text_does_not_depend_on_where_chunks_are_cut(void **state)
{
    static const char data[] =
        "x\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff\xe2\x82yz\xe2\x82\xac\xf0";
    static const char whole[] =
        "x\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" REPLACEMENT REPLACEMENT REPLACEMENT
        "yz\xe2\x82\xac" REPLACEMENT;
    const size_t size = strlen(data);

    (void)state;
    for (size_t step = 1; step <= size; step++) {
        size_t from = 0, end = 0;
        char joined[128] = "";

        while (from < size) {
            struct json_object *text;
            size_t used;

            end = end + step < size ? end + step : size;
            text = output_text_new(OUTPUT_UTF8, (const unsigned char *)data + from, end - from,
                                   end == size, &used);
            strcat(joined, json_object_get_string(text));
            json_object_put(text);
            from += used;
        }
        assert_string_equal(joined, whole);
    }
}

static void the_largest_chunk_of_the_worst_bytes_fits(void **state)
{
    static unsigned char data[PROTOCOL_OUTPUT_MAX];
    struct json_object *text;
    size_t used;

    (void)state;
    memset(data, 0xff, sizeof(data));
    text = output_text_new(OUTPUT_UTF8, data, sizeof(data), false, &used);
    assert_int_equal(used, sizeof(data));
    assert_int_equal(json_object_get_string_len(text), 3 * sizeof(data));
    json_object_put(text);

    text = output_text_new(OUTPUT_BASE64, data, sizeof(data), false, &used);
    assert_int_equal(used, sizeof(data));
    assert_int_equal(json_object_get_string_len(text), BASE64_LENGTH(sizeof(data)));
    json_object_put(text);
}

/* Whatever a guest prints, the line that carries it is valid UTF-8. */
static void any_two_bytes_give_valid_utf8(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        const unsigned char data[] = { (unsigned char)(pair >> 8), (unsigned char)pair };
        struct json_object *text;
        const char *bytes;
        int length, n;
        size_t used;

        text = output_text_new(OUTPUT_UTF8, data, sizeof(data), true, &used);
        bytes = json_object_get_string(text);
        length = json_object_get_string_len(text);
        for (int i = 0; i < length; i += n) {
            n = utf8_sequence(bytes + i, (size_t)(length - i));
            assert_true(n > 0);
        }
        json_object_put(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_keeps_every_byte),
        cmocka_unit_test(base64_never_waits_for_more),
        cmocka_unit_test(valid_utf8_stays_as_it_is),
        cmocka_unit_test(nul_is_a_character),
        cmocka_unit_test(each_byte_that_is_in_no_sequence_becomes_one_replacement),
        cmocka_unit_test(sequence_broken_off_by_another_character_is_replaced),
        cmocka_unit_test(sequence_that_is_not_whole_waits_for_the_rest),
        cmocka_unit_test(sequence_that_is_not_whole_at_the_very_end_is_replaced),
        cmocka_unit_test(text_does_not_depend_on_where_chunks_are_cut),
        cmocka_unit_test(the_largest_chunk_of_the_worst_bytes_fits),
        cmocka_unit_test(any_two_bytes_give_valid_utf8),
    };

    return cmocka_run_group_tests_name("output_text", tests, NULL, NULL);
}

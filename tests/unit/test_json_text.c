#include "unit_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/json_text.h"

enum { DEPTH = 8 };

/* From memory of exactly that size, so that a sanitizer sees a read past the end. */
static bool accepts_within(const char *text, size_t length, struct json_text_limits limits,
                           struct json_text_fault *ret_fault)
{
    char *copy = malloc(length + (length == 0));
    int r;

    assert_non_null(copy);
    memcpy(copy, text, length);
    r = json_text_check(copy, length, limits, ret_fault);
    free(copy);
    if (r == 0)
        return true;
    assert_int_equal(r, -EINVAL);
    assert_non_null(ret_fault->what);
    assert_in_range(ret_fault->offset, 0, length);
    return false;
}

static bool accepts(const char *text, size_t length, unsigned depth_max,
                    struct json_text_fault *ret_fault)
{
    const struct json_text_limits limits = { .depth = depth_max, .values = SIZE_MAX };

    return accepts_within(text, length, limits, ret_fault);
}

static void assert_accepted_bytes(const char *text, size_t length)
{
    struct json_text_fault fault = { 0 };

    if (!accepts(text, length, DEPTH, &fault))
        fail_msg("'%s' was refused at byte %zu: %s", text, fault.offset, fault.what);
}

static void assert_refused_bytes(const char *text, size_t length)
{
    struct json_text_fault fault = { 0 };

    if (accepts(text, length, DEPTH, &fault))
        fail_msg("'%s' was accepted", text);
}

static void assert_accepted(const char *text)
{
    assert_accepted_bytes(text, strlen(text));
}

static void assert_refused(const char *text)
{
    assert_refused_bytes(text, strlen(text));
}

static void assert_fault(const char *text, size_t offset, const char *what)
{
    struct json_text_fault fault = { 0 };

    assert_false(accepts(text, strlen(text), DEPTH, &fault));
    assert_string_equal(fault.what, what);
    assert_int_equal(fault.offset, offset);
}

/* RFC 8259 section 3 */
static void accepts_the_three_words(void **state)
{
    (void)state;
    assert_accepted("true");
    assert_accepted("false");
    assert_accepted("null");
}

static void refuses_words_that_only_look_like_json(void **state)
{
    static const char *const words[] = {
        "True",     "TRUE",      "False",     "NULL", "Null",      "nul",       "nulll", "tru",
        "truee",    "NaN",       "nan",       "-NaN", "undefined", "none",      "yes",   "t",
        "Infinity", "-Infinity", "+Infinity", "inf",  "-inf",      "truefalse", "a",     "_",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_refused(words[i]);
}

static void refuses_a_text_without_a_value(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused(" ");
    assert_refused("\r\n\t ");
}

static void refuses_a_byte_order_mark(void **state)
{
    (void)state;
    assert_refused("\xef\xbb\xbf{}"); /* RFC 8259 section 8.1: must not be added */
}

static void refuses_comments(void **state)
{
    (void)state;
    assert_refused("/* c */ 1");
    assert_refused("1 /* c */");
    assert_refused("// c\n1");
    assert_refused("[1, // c\n2]");
    assert_refused("1 # c");
}

/* RFC 8259 section 2 */
static void white_space_is_these_four_characters_only(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        char outside[] = "?[]?", inside[] = "[?1?,?{?\"a\"?:?2?}?]";
        char *texts[] = { outside, inside };

        if (strchr("0123456789\"", c) && c != 0)
            continue; /* other numbers than 1 and 2; a string */
        for (size_t i = 0; i < 2; i++) {
            size_t length = strlen(texts[i]);

            for (char *at = texts[i]; at < texts[i] + length; at++)
                if (*at == '?')
                    *at = (char)c;
            if (space)
                assert_accepted_bytes(texts[i], length);
            else
                assert_refused_bytes(texts[i], length);
        }
    }
}

static void refuses_anything_after_the_value(void **state)
{
    (void)state;
    assert_refused("1 2");
    assert_refused("{}{}");
    assert_refused("[],");
    assert_refused("[]]");
    assert_refused("\"a\"b");
    assert_refused("null}");
    assert_refused_bytes("{}\0", 3);
    assert_refused_bytes("1\0", 2);
}

/* RFC 8259 sections 4 and 5 */
static void accepts_arrays_and_objects(void **state)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "[1]",
        "[1,2]",
        "[[]]",
        "[[],[]]",
        "[{}]",
        "[{},{}]",
        "{\"a\":1}",
        "{\"a\":{},\"b\":[]}",
        "{\"\":\"\"}",
        "{\"a\":1,\"a\":2}",
        "[[1,{\"a\":[2,{}]}],3]",
        "{\"a\":[{\"b\":[{\"c\":null}]}],\"d\":[]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_accepted(texts[i]);
}

static void refuses_commas_that_separate_nothing(void **state)
{
    static const char *const texts[] = {
        "[,]",   "[1,]",       "[,1]",        "[1,,2]",
        "{,}",   "{\"a\":1,}", "{,\"a\":1}",  "{\"a\":1,,\"b\":2}",
        "[[],]", "[{},]",      "{\"a\":[],}", ",",
        "1,",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

static void refuses_values_without_a_comma_between_them(void **state)
{
    (void)state;
    assert_refused("[1 2]");
    assert_refused("[[][]]");
    assert_refused("[\"a\" \"b\"]");
    assert_refused("{\"a\":1 \"b\":2}");
    assert_refused("[1;2]");
    assert_refused("[1:2]");
}

static void refuses_members_that_are_not_name_colon_value(void **state)
{
    static const char *const texts[] = {
        "{\"a\"}",     "{\"a\":}", "{\"a\",1}",       "{:1}",        "{\"a\"::1}", "{\"a\" 1}",
        "{\"a\"=1}",   "{a:1}",    "{'a':1}",         "{1:1}",       "{null:1}",   "{[]:1}",
        "{\"a\":1:2}", "{1}",      "{\"a\":1,\"b\"}", "{\"a\":1,2}", "{{}}",       "{[]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

static void refuses_brackets_that_do_not_match(void **state)
{
    static const char *const texts[] = {
        "[",          "{",   "]",         "}",   "[}",
        "{]",         "[1}", "{\"a\":1]", "[[]", "[{]}",
        "{\"a\":[}]", "[]]", "{}}",       "[[[", "{\"a\":{\"b\":{",
        "(1)",        "<1>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

static void refuses_a_text_cut_anywhere(void **state)
{
    static const char text[] =
        "{\"a\": [true, false, null, -1.5e+3, \"\\u00e4\\ud834\\udd1e\\n\xc3\xa4"
        "\xf0\x9d\x84\x9e\"], \"b\": {\"c\": {}}}";

    (void)state;
    assert_accepted(text);
    for (size_t length = 0; length < strlen(text); length++)
        assert_refused_bytes(text, length);
}

/* Writes levels of "[" or "{\"\":" around 0. */
static void assert_nesting(unsigned levels, const char *open, const char *close, unsigned depth_max,
                           bool accepted)
{
    struct json_text_fault fault;
    char text[1024] = "";

    for (unsigned i = 0; i < levels; i++)
        strcat(text, open);
    strcat(text, "0");
    for (unsigned i = 0; i < levels; i++)
        strcat(text, close);
    assert_int_equal(accepts(text, strlen(text), depth_max, &fault), accepted);
    if (!accepted) {
        assert_string_equal(fault.what, "arrays and objects are nested too deeply");
        assert_int_equal(fault.offset, depth_max * strlen(open));
    }
}

static void nesting_is_accepted_at_the_limit_and_refused_above(void **state)
{
    (void)state;
    for (unsigned depth_max = 0; depth_max <= 64; depth_max++) {
        assert_nesting(depth_max, "[", "]", depth_max, true);
        assert_nesting(depth_max + 1, "[", "]", depth_max, false);
        assert_nesting(depth_max, "{\"\":", "}", depth_max, true);
        assert_nesting(depth_max + 1, "{\"\":", "}", depth_max, false);
    }
}

static void empty_arrays_and_objects_count_as_levels(void **state)
{
    struct json_text_fault fault;

    (void)state;
    assert_false(accepts("[]", 2, 0, &fault));
    assert_false(accepts("{}", 2, 0, &fault));
    assert_true(accepts("[{}]", 4, 2, &fault));
    assert_false(accepts("[{}]", 4, 1, &fault));
}

static void neighbours_do_not_add_to_the_depth(void **state)
{
    struct json_text_fault fault;
    static const char text[] = "[[],{},[[]],{\"a\":[],\"b\":{}},[]]";

    (void)state;
    assert_true(accepts(text, strlen(text), 3, &fault));
    assert_false(accepts(text, strlen(text), 2, &fault));
}

static void counts_every_value_and_no_name(void **state)
{
    static const char text[] = "{\"a\":[1,\"b\",{},[]],\"c\":null}"; /* and an object around it */
    struct json_text_limits limits = { .depth = DEPTH, .values = 7 };
    struct json_text_fault fault;

    (void)state;
    assert_true(accepts_within(text, strlen(text), limits, &fault));
    limits.values = 6;
    assert_false(accepts_within(text, strlen(text), limits, &fault));
    assert_int_equal(fault.offset, strlen("{\"a\":[1,\"b\",{},[]],\"c\":"));
}

static void refuses_one_value_more_than_allowed(void **state)
{
    const struct json_text_limits limits = { .depth = DEPTH, .values = 3 };
    struct json_text_fault fault;

    (void)state;
    assert_true(accepts_within("[0,0]", 5, limits, &fault));
    assert_false(accepts_within("[0,0,0]", 7, limits, &fault));
    assert_string_equal(fault.what, "a line may not hold that many values");
    assert_int_equal(fault.offset, 5);
}

static void endless_opening_brackets_cost_no_stack(void **state)
{
    size_t length = 1024 * 1024;
    char *text = malloc(length);
    struct json_text_fault fault;

    (void)state;
    assert_non_null(text);
    memset(text, '[', length);
    assert_false(accepts(text, length, 64, &fault));
    assert_int_equal(fault.offset, 64);
    free(text);
}

/* RFC 8259 section 6 */
static void accepts_every_form_of_number(void **state)
{
    static const char *const numbers[] = {
        "0",    "-0",      "1",    "-1",   "10",    "1234567890", "0.0",    "-0.0", "0.5",
        "1.25", "1e1",     "1E1",  "1e+1", "1E-1",  "0e0",        "-0e-0",  "1e00", "1.5e10",
        "1e01", "-1.5E+3", "1.00", "0.10", "1e400", "-1e400",     "1e-400",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char in_array[32];

        snprintf(in_array, sizeof(in_array), "[%s]", numbers[i]);
        assert_accepted(numbers[i]);
        assert_accepted(in_array);
    }
}

static void refuses_what_only_looks_like_a_number(void **state)
{
    static const char *const numbers[] = {
        "-",    "+",     "+1",    "--1", "- 1",   "01",    "-01",   "00",  "007", "0x1f", "0X1F",
        "1.",   "-1.",   ".5",    "-.5", "1.e1",  ".e1",   ".",     "1e",  "1e+", "1E-",  "1e1.5",
        "1ee1", "1e1e1", "1.2.3", "1,5", "1_000", "1e+-1", "1 000", "0b1", "0o7", "1f",   "1L",
        "1-",   "1+1",   "0-1",   "1a",  "e1",    "1.+1",  "00.5",  "0e",  "1/2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_refused(numbers[i]);
        if (!strchr(numbers[i], ',')) { /* [1,5] is an array of two */
            char in_array[32];

            snprintf(in_array, sizeof(in_array), "[%s]", numbers[i]);
            assert_refused(in_array);
        }
    }
}

static void accepts_integers_of_64_bits(void **state)
{
    (void)state;
    assert_accepted("9223372036854775807");
    assert_accepted("9223372036854775808");
    assert_accepted("18446744073709551615");
    assert_accepted("-9223372036854775808");
}

static void refuses_integers_of_more_than_64_bits(void **state)
{
    (void)state;
    assert_refused("18446744073709551616");
    assert_refused("-9223372036854775809");
    assert_refused("18446744073709551620");
    assert_refused("99999999999999999999");
    assert_refused("-18446744073709551615");
    assert_refused("100000000000000000000000000000000000000000");
    assert_refused("[1,-100000000000000000000]");
}

static void only_integers_must_fit(void **state)
{
    (void)state;
    assert_accepted("18446744073709551616.0");
    assert_accepted("18446744073709551616e0");
    assert_accepted("-9223372036854775809.5");
}

/* RFC 8259 section 7 */
static void accepts_every_escape_and_no_other(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = "\"\\?\"";

        text[2] = (char)c;
        if (c == '"') /* \" and then no closing quote: text[3] is one */
            assert_accepted("\"\\\"\"");
        else if (c != 0 && strchr("\\/bfnrt", c))
            assert_accepted_bytes(text, 4);
        else
            assert_refused_bytes(text, 4);
    }
}

static void refuses_control_characters_that_are_not_escaped(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = "\"a?q\"", name[] = "{\"?\":1}";

        text[2] = name[2] = (char)c;
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') {
            assert_refused_bytes(text, 5);
            assert_refused_bytes(name, 7);
        } else {
            assert_accepted_bytes(text, 5);
            assert_accepted_bytes(name, 7);
        }
    }
}

static void refuses_single_quotes(void **state)
{
    (void)state;
    assert_refused("'a'");
    assert_refused("['a']");
    assert_refused("{\"a\":'b'}");
    assert_refused("\"a'");
    assert_refused("'a\"");
}

static void four_hex_digits_follow_u(void **state)
{
    (void)state;
    assert_accepted("\"\\u0000\"");
    assert_accepted("\"\\uABCD\\uabcd\\u09aF\"");
    assert_accepted("\"\\u00e40\"");
    assert_refused("\"\\u\"");
    assert_refused("\"\\u1\"");
    assert_refused("\"\\u12\"");
    assert_refused("\"\\u123\"");
    assert_refused("\"\\u123g\"");
    assert_refused("\"\\u12 4\"");
    assert_refused("\"\\u+123\"");
    assert_refused("\"\\u-123\"");
    assert_refused("\"\\u0x12\"");
    assert_refused("\"\\U0041\"");
    assert_refused("\"\\x41\"");
    assert_refused("\"\\101\"");
}

static void accepts_surrogates_in_pairs(void **state)
{
    (void)state;
    assert_accepted("\"\\ud834\\udd1e\"");
    assert_accepted("\"\\ud800\\udc00\"");
    assert_accepted("\"\\uDBFF\\uDFFF\"");
    assert_accepted("\"\\ud834\\udd1e\\ud834\\udd1e\"");
    assert_accepted("\"\\ud7ff\\ue000\"");
}

static void refuses_surrogates_alone(void **state)
{
    static const char *const texts[] = {
        "\"\\ud800\"",          "\"\\udbff\"",         "\"\\udc00\"",
        "\"\\udfff\"",          "\"\\ud800a\"",        "\"\\ud800\\n\"",
        "\"\\ud800\\u0041\"",   "\"\\ud800\\ud800\"",  "\"\\udc00\\ud800\"",
        "\"\\ud800\\udbff\"",   "\"\\ud800\\ue000\"",  "\"\\ud834\\udd1e\\udd1e\"",
        "\"\\ud800\\\\udc00\"", "\"\\ud800 \\udc00\"", "\"\\ud800\\u\"",
        "\"\\ud800\\udc0\"",    "\"\\ud800\\udc0g\"",  "\"\\ud800\\\"",
        "{\"\\ud800\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

/* json-c ends a name at its first NUL: another name than the one that was sent. */
static void refuses_nul_in_a_name(void **state)
{
    (void)state;
    assert_refused("{\"vm\\u0000\":1}");
    assert_refused("{\"\\u0000\":1}");
    assert_refused("[{\"a\":{\"b\":1,\"c\\u0000d\":2}}]");
    assert_fault("{\"a\":1,\"vm\\u0000x\":1}", 7, "a name must not contain \\u0000");
}

static void accepts_nul_in_any_other_string(void **state)
{
    (void)state;
    assert_accepted("{\"a\":\"\\u0000\"}");
    assert_accepted("{\"a\":\"\\u0000\",\"b\":1}");
    assert_accepted("[\"\\u0000\",{\"a\":1}]");
    assert_accepted("{\"a\\\\u0000\":1}"); /* an escaped backslash, then u0000 */
}

/* RFC 3629 section 4 */
static void accepts_utf8_up_to_four_bytes(void **state)
{
    (void)state;
    assert_accepted("\"\x7f\"");
    assert_accepted("\"\xc2\x80 \xdf\xbf\"");
    assert_accepted("\"\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf\"");
    assert_accepted("\"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\"");
    assert_accepted("{\"\xc3\xa4\":1}");
}

static void refuses_bytes_that_are_not_utf8(void **state)
{
    static const char *const sequences[] = {
        "\x80", /* a continuation alone */
        "\xbf",
        "\xc3", /* a lead alone */
        "\xc3\x28",
        "\xe2\x82",
        "\xe2\x28\xa1",
        "\xe2\x82\x28",
        "\xf0\x9d\x84",
        "\xf0\x9d\x84\x28",
        "\xc0\x80", /* overlong NUL */
        "\xc0\xaf", /* overlong '/' */
        "\xc1\xbf",
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\xaf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* surrogates */
        "\xed\xbf\xbf",
        "\xed\xa0\xb4\xed\xb4\x9e",
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfc\x84\x80\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3\xa4\xa4", /* one continuation too many */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        char text[16];

        snprintf(text, sizeof(text), "\"%s\"", sequences[i]);
        assert_refused(text);
        snprintf(text, sizeof(text), "{\"a%s\":1}", sequences[i]);
        assert_refused(text);
    }
}

static void refuses_utf8_outside_strings(void **state)
{
    (void)state;
    assert_refused("\xc3\xa4");
    assert_refused("[1\xc2\xa0]"); /* a no-break space is no white space */
    assert_refused("[\xe2\x80\x9c"
                   "a\xe2\x80\x9d]");
}

static void refuses_other_encodings(void **state)
{
    (void)state;
    assert_refused_bytes("{\0}\0", 4);
    assert_refused_bytes("\0{\0}", 4);
    assert_refused_bytes("\xff\xfe{\0}\0", 6);
}

static void every_code_point_is_one_sequence(void **state)
{
    (void)state;
    for (unsigned long code = 0; code <= 0x10ffff; code++) {
        char text[4];
        int size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        static const unsigned lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };
        bool surrogate = code >= 0xd800 && code <= 0xdfff;

        for (int i = 0; i < size; i++)
            text[i] = (char)((i == 0 ? lead[size] : 0x80u) |
                             (code >> 6 * (size - 1 - i) & (i == 0 ? 0x7fu : 0x3fu)));
        if (utf8_sequence(text, (size_t)size) != (surrogate ? 0 : size))
            fail_msg("U+%04lX", code);
        for (int cut = 1; cut < size; cut++)
            if (utf8_sequence(text, (size_t)cut) != (surrogate && cut > 1 ? 0 : -1))
                fail_msg("U+%04lX, %d of its bytes", code, cut);
    }
}

static void sequence_is_measured_without_what_follows(void **state)
{
    (void)state;
    assert_int_equal(utf8_sequence("a\xff", 2), 1);
    assert_int_equal(utf8_sequence("\xc3\xa4\xff", 3), 2);
    assert_int_equal(utf8_sequence("", 0), -1);
}

static void sequence_is_refused_as_soon_as_it_cannot_become_valid(void **state)
{
    (void)state;
    assert_int_equal(utf8_sequence("\x80", 1), 0);
    assert_int_equal(utf8_sequence("\xc1", 1), 0);
    assert_int_equal(utf8_sequence("\xf5", 1), 0);
    assert_int_equal(utf8_sequence("\xe0\x9f", 2), 0);
    assert_int_equal(utf8_sequence("\xf0\x8f", 2), 0);
    assert_int_equal(utf8_sequence("\xf4\x90", 2), 0);
    assert_int_equal(utf8_sequence("\xf0\x90\x28", 3), 0);
    assert_int_equal(utf8_sequence("\xf0\x90\x80", 3), -1);
}

static void fault_tells_where_and_why(void **state)
{
    (void)state;
    assert_fault("{\"a\":1.}", 7, "a number needs digits after '.'");
    assert_fault("[1e]", 3, "a number needs digits in its exponent");
    assert_fault("[-]", 2, "a number needs digits");
    assert_fault("[1,-01]", 3, "a number must not start with 0");
    assert_fault("[1,99999999999999999999]", 3, "an integer must fit 64 bits");
    assert_fault("[\"\\q\"]", 3, "a backslash in a string must start one of JSON's escapes");
    assert_fault("[\"\\u12x4\"]", 6, "\\u needs four hexadecimal digits");
    assert_fault("[\"ab\\udc00\"]", 4, "a low surrogate without a high one before it");
    assert_fault("[\"ab\\ud800\"]", 4, "a high surrogate without a low one after it");
    assert_fault("[\"a\tb\"]", 3, "control characters in a string must be escaped");
    assert_fault("[\"a\xff\"]", 3, "a string is not valid UTF-8");
    assert_fault("{'a':1}", 1, "an object's member must start with a name in double quotes");
    assert_fault("{\"a\" 1}", 5, "a name must be followed by ':'");
    assert_fault("{\"a\":1 \"b\":2}", 7, "a member must be followed by ',' or '}'");
    assert_fault("[1 2]", 3, "an element must be followed by ',' or ']'");
    assert_fault("[NaN]", 1,
                 "a value must be an object, array, string, number, true, false or null");
    assert_fault("1 2", 2, "there is more after the JSON value");
}

static void fault_of_a_cut_text_is_its_end(void **state)
{
    static const char *const texts[] = {
        "",     "[",       "{",  "{\"a\"", "{\"a\":", "[1",  "[1,",    "\"a",
        "\"\\", "\"\\u12", "1.", "1e",     "-",       "tru", "\"\xc3", "\"\\ud800",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_fault(texts[i], strlen(texts[i]), "the text ends too early");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_the_three_words),
        cmocka_unit_test(refuses_words_that_only_look_like_json),
        cmocka_unit_test(refuses_a_text_without_a_value),
        cmocka_unit_test(refuses_a_byte_order_mark),
        cmocka_unit_test(refuses_comments),
        cmocka_unit_test(white_space_is_these_four_characters_only),
        cmocka_unit_test(refuses_anything_after_the_value),
        cmocka_unit_test(accepts_arrays_and_objects),
        cmocka_unit_test(refuses_commas_that_separate_nothing),
        cmocka_unit_test(refuses_values_without_a_comma_between_them),
        cmocka_unit_test(refuses_members_that_are_not_name_colon_value),
        cmocka_unit_test(refuses_brackets_that_do_not_match),
        cmocka_unit_test(refuses_a_text_cut_anywhere),
        cmocka_unit_test(nesting_is_accepted_at_the_limit_and_refused_above),
        cmocka_unit_test(empty_arrays_and_objects_count_as_levels),
        cmocka_unit_test(neighbours_do_not_add_to_the_depth),
        cmocka_unit_test(counts_every_value_and_no_name),
        cmocka_unit_test(refuses_one_value_more_than_allowed),
        cmocka_unit_test(endless_opening_brackets_cost_no_stack),
        cmocka_unit_test(accepts_every_form_of_number),
        cmocka_unit_test(refuses_what_only_looks_like_a_number),
        cmocka_unit_test(accepts_integers_of_64_bits),
        cmocka_unit_test(refuses_integers_of_more_than_64_bits),
        cmocka_unit_test(only_integers_must_fit),
        cmocka_unit_test(accepts_every_escape_and_no_other),
        cmocka_unit_test(refuses_control_characters_that_are_not_escaped),
        cmocka_unit_test(refuses_single_quotes),
        cmocka_unit_test(four_hex_digits_follow_u),
        cmocka_unit_test(accepts_surrogates_in_pairs),
        cmocka_unit_test(refuses_surrogates_alone),
        cmocka_unit_test(refuses_nul_in_a_name),
        cmocka_unit_test(accepts_nul_in_any_other_string),
        cmocka_unit_test(accepts_utf8_up_to_four_bytes),
        cmocka_unit_test(refuses_bytes_that_are_not_utf8),
        cmocka_unit_test(refuses_utf8_outside_strings),
        cmocka_unit_test(refuses_other_encodings),
        cmocka_unit_test(every_code_point_is_one_sequence),
        cmocka_unit_test(sequence_is_measured_without_what_follows),
        cmocka_unit_test(sequence_is_refused_as_soon_as_it_cannot_become_valid),
        cmocka_unit_test(fault_tells_where_and_why),
        cmocka_unit_test(fault_of_a_cut_text_is_its_end),
    };

    return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}

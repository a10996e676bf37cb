#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/escape.h"

/* Into memory of exactly that size, so that a sanitizer sees one byte too many. */
static void assert_escaped(const char *text, size_t length, size_t size, const char *expected)
{
    char *out = malloc(size);

    assert_non_null(out);
    assert_ptr_equal(escape_text(text, length, out, size), out);
    assert_string_equal(out, expected);
    free(out);
}

static void printable_ascii_stays_as_it_is(void **state)
{
    static const char text[] = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "[]^_`abcdefghijklmnopqrstuvwxyz{|}~";

    (void)state;
    assert_escaped(text, strlen(text), sizeof(text), text);
}

static void every_other_byte_becomes_two_hex_digits(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text = (char)c, expected[5];

        if (c >= 0x20 && c < 0x7f && c != '\\')
            continue;
        snprintf(expected, sizeof(expected), "\\x%02x", c);
        assert_escaped(&text, 1, 8, expected);
    }
}

static void backslash_is_escaped_so_that_nobody_can_fake_an_escape(void **state)
{
    (void)state;
    assert_escaped("\\x0a", 4, 16, "\\x5cx0a");
}

static void nothing_gives_an_empty_text(void **state)
{
    (void)state;
    assert_escaped("", 0, 8, "");
}

static void nul_does_not_end_the_text(void **state)
{
    (void)state;
    assert_escaped("a\0b", 3, 16, "a\\x00b");
}

static void text_that_just_fits_is_not_cut(void **state)
{
    (void)state;
    assert_escaped("abcdefg", 7, 8, "abcdefg");
    assert_escaped("abc\n", 4, 8, "abc\\x0a");
    assert_escaped("\nabc", 4, 8, "\\x0aabc");
}

static void text_one_byte_too_long_is_cut_with_dots(void **state)
{
    (void)state;
    assert_escaped("abcdefgh", 8, 8, "abcd...");
    assert_escaped("abcd\n", 5, 8, "abcd...");
    assert_escaped("\n\n", 2, 8, "\\x0a...");
}

static void cut_never_splits_an_escape(void **state)
{
    (void)state;
    assert_escaped("a\n\n", 3, 8, "a...");
    assert_escaped("\n\n\n", 3, 11, "\\x0a...");
    assert_escaped("\n\n\n", 3, 12, "\\x0a\\x0a...");
}

static void any_length_fits_any_size(void **state)
{
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i % 3 == 0 ? '\n' : 'a');
    for (size_t size = 8; size <= 80; size++) {
        for (size_t length = 0; length <= sizeof(text); length++) {
            size_t whole = length + 3 * ((length + 2) / 3);
            char *out = malloc(size);

            assert_non_null(out);
            escape_text(text, length, out, size);
            assert_true(strlen(out) < size);
            if (whole < size)
                assert_int_equal(strlen(out), whole);
            else
                assert_string_equal(out + strlen(out) - 3, "...");
            free(out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_ascii_stays_as_it_is),
        cmocka_unit_test(every_other_byte_becomes_two_hex_digits),
        cmocka_unit_test(backslash_is_escaped_so_that_nobody_can_fake_an_escape),
        cmocka_unit_test(nothing_gives_an_empty_text),
        cmocka_unit_test(nul_does_not_end_the_text),
        cmocka_unit_test(text_that_just_fits_is_not_cut),
        cmocka_unit_test(text_one_byte_too_long_is_cut_with_dots),
        cmocka_unit_test(cut_never_splits_an_escape),
        cmocka_unit_test(any_length_fits_any_size),
    };

    return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}

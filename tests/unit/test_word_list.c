#include "unit_test.h"

#include <string.h>

#include "util/word_list.h"

enum { SIZE = 64 };

static void list_is_empty_at_first(void **state)
{
    char text[SIZE] = "";
    struct word_list list = WORD_LIST(text);

    (void)state;
    assert_string_equal(text, "");
    assert_false(list.full);
}

static void words_are_set_apart_by_commas(void **state)
{
    char text[SIZE] = "";
    struct word_list list = WORD_LIST(text);

    (void)state;
    word_list_add(&list, "flat");
    assert_string_equal(text, "flat");
    word_list_add(&list, "\"%s\"", "rom");
    word_list_add(&list, "%d", 3);
    assert_string_equal(text, "flat, \"rom\", 3");
}

static void list_that_is_too_long_says_so_after_a_whole_word(void **state)
{
    char text[SIZE] = "";
    struct word_list list = WORD_LIST(text);
    unsigned words = 0;

    (void)state;
    while (!list.full && words < SIZE) {
        word_list_add(&list, "word");
        words++;
    }
    assert_true(list.full);
    assert_true(strlen(text) < SIZE);
    assert_string_equal(text + strlen(text) - 9, "word, ...");
    assert_true(strlen(text) > SIZE - 12); /* it was not given up early */
}

static void word_that_is_too_long_alone_is_left_out(void **state)
{
    char longest[2 * SIZE];
    char text[SIZE] = "";
    struct word_list list = WORD_LIST(text);

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    word_list_add(&list, "%s", longest);
    assert_string_equal(text, "...");
    assert_true(list.full);
}

/* Words of each length: at one of them the list is full to its last byte. */
static void no_length_writes_past_the_end(void **state)
{
    (void)state;
    for (int width = 1; width < SIZE; width++) {
        char text[SIZE + 1] = "";
        struct word_list list = { .text = text, .size = SIZE };

        text[SIZE] = 'b';
        for (int i = 0; i < SIZE; i++)
            word_list_add(&list, "%*d", width, 1);
        assert_true(list.full);
        assert_int_equal(text[SIZE], 'b');
        assert_non_null(memchr(text, '\0', SIZE));
        assert_string_equal(text + strlen(text) - 3, "...");
    }
}

static void nothing_is_added_to_a_full_list(void **state)
{
    char text[SIZE] = "";
    struct word_list list = WORD_LIST(text);
    char before[SIZE];

    (void)state;
    while (!list.full)
        word_list_add(&list, "a longer word");
    memcpy(before, text, sizeof(before));
    word_list_add(&list, "b");
    assert_string_equal(text, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_empty_at_first),
        cmocka_unit_test(words_are_set_apart_by_commas),
        cmocka_unit_test(list_that_is_too_long_says_so_after_a_whole_word),
        cmocka_unit_test(word_that_is_too_long_alone_is_left_out),
        cmocka_unit_test(no_length_writes_past_the_end),
        cmocka_unit_test(nothing_is_added_to_a_full_list),
    };

    return cmocka_run_group_tests_name("word_list", tests, NULL, NULL);
}

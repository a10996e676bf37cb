#include "unit_test.h"

#include <string.h>

#include "shared/definition.h"
#include "shared/vm_record.h"

typedef const char *(*word_fn)(unsigned value);

static const char *format_word(unsigned value)
{
    return image_format_to_string((enum image_format)value);
}

static const char *mode_word(unsigned value)
{
    return boot_mode_to_string((enum boot_mode)value);
}

static const char *board_word(unsigned value)
{
    return board_kind_to_string((enum board_kind)value);
}

static const struct {
    word_fn word;
    unsigned count;
    size_t size; /* where a record keeps it */
} rows[] = {
    { format_word, IMAGE_FORMAT_COUNT, sizeof(((struct vm_machine_record *)NULL)->format) },
    { mode_word, BOOT_MODE_COUNT, sizeof(((struct vm_machine_record *)NULL)->mode) },
    { board_word, BOARD_KIND_COUNT, sizeof(((struct vm_machine_record *)NULL)->machine) },
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

/* A value put among others would leave a hole in a table of the right length. */
static void each_value_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROW_COUNT; row++)
        for (unsigned i = 0; i < rows[row].count; i++) {
            assert_non_null(rows[row].word(i));
            for (unsigned j = 0; j < i; j++)
                assert_string_not_equal(rows[row].word(i), rows[row].word(j));
        }
}

static void each_word_fits_into_a_record(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROW_COUNT; row++)
        for (unsigned i = 0; i < rows[row].count; i++)
            assert_in_range(strlen(rows[row].word(i)), 1, rows[row].size - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_has_a_word_of_its_own),
        cmocka_unit_test(each_word_fits_into_a_record),
    };

    return cmocka_run_group_tests_name("definition", tests, NULL, NULL);
}

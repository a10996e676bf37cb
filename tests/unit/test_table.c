#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

enum { MANY = 40 };

static void every_column_is_shown_however_many_there_are(void **state)
{
    struct table_column columns[MANY];
    char names[MANY][16], cell[16];
    struct table *table;
    char *text;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "C%u", i);
        columns[i] = (struct table_column){ names[i], TABLE_WORD, TABLE_RANK_ALWAYS };
    }
    table = table_new(columns, MANY);
    assert_non_null(table);
    table_row(table);
    for (unsigned i = 0; i < MANY; i++)
        table_cell(table, "v%u", i);
    text = table_text(table);
    assert_non_null(text);
    for (unsigned i = 0; i < MANY; i++) {
        assert_non_null(strstr(text, names[i]));
        snprintf(cell, sizeof(cell), "v%u", i);
        assert_non_null(strstr(text, cell));
    }
    free(text);
    table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_is_shown_however_many_there_are),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}

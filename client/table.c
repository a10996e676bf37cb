#include "table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "safe_text.h"

#define SEPARATOR "  "

enum { TEXT_WIDTH_MIN = 8 }; /* what a text that is cut still needs */

struct column {
    size_t width; /* of its widest cell */
    bool hidden;
};

struct table {
    const struct table_column *columns;
    size_t count;
    struct libscols_table *lines;
    struct libscols_line *line; /* the row being filled */
    size_t filled;              /* cells of it */
    bool whole;                 /* even in a narrow terminal */
    struct column state[];      /* `count` of them */
};

static const int flags[] = {
    [TABLE_TEXT] = SCOLS_FL_TRUNC,
    [TABLE_WORD] = 0,
    [TABLE_NUMBER] = SCOLS_FL_RIGHT,
};

static_assert(sizeof(flags) / sizeof(flags[0]) == TABLE_COLUMN_KIND_COUNT, "flags of each kind");

struct table *table_new(const struct table_column *columns, size_t count)
{
    struct table *table = calloc(1, sizeof(*table) + count * sizeof(table->state[0]));

    if (!table)
        return NULL;
    table->columns = columns;
    table->count = count;
    table->lines = scols_new_table();
    if (!table->lines)
        return table_free(table);
    scols_table_enable_noencoding(table->lines, 1); /* the cells are safe already */
    scols_table_set_column_separator(table->lines, SEPARATOR);
    for (size_t i = 0; i < table->count; i++) {
        scols_table_new_column(table->lines, columns[i].name, 0, flags[columns[i].kind]);
        table->state[i].width = strlen(columns[i].name);
    }
    return table;
}

struct table *table_free(struct table *table)
{
    if (!table)
        return NULL;
    scols_unref_table(table->lines);
    free(table);
    return NULL;
}

void table_make_block(struct table *table)
{
    if (!table)
        return;
    table->whole = true;
    scols_table_enable_noheadings(table->lines, 1);
    scols_table_set_termforce(table->lines, SCOLS_TERMFORCE_NEVER);
}

void table_row(struct table *table)
{
    if (!table)
        return;
    table->line = scols_table_new_line(table->lines, NULL);
    table->filled = 0;
}

void table_cell(struct table *table, const char *format, ...)
{
    _cleanup_free_ char *text = NULL, *safe = NULL;
    struct column *column;
    va_list args;
    size_t width;
    int n;

    if (!table || !table->line || table->filled == table->count)
        return;
    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        text = NULL; /* else it is undefined */
        return;
    }
    safe = safe_text_new(text, &width);
    if (!safe)
        return;
    column = &table->state[table->filled];
    if (width > column->width)
        column->width = width;
    scols_line_set_data(table->line, table->filled++, safe);
}

/* Columns of the screen that the table needs at least. */
static size_t needed_width(const struct table *table)
{
    size_t needed = 0;

    for (size_t i = 0; i < table->count; i++) {
        size_t width = table->state[i].width;

        if (table->state[i].hidden)
            continue;
        if (table->columns[i].kind == TABLE_TEXT && width > TEXT_WIDTH_MIN)
            width = TEXT_WIDTH_MIN;
        needed += width + (i > 0 ? strlen(SEPARATOR) : 0);
    }
    return needed;
}

/* The column to leave out next; count: none may be. */
static size_t least_important(const struct table *table)
{
    size_t least = table->count;

    for (size_t i = 0; i < table->count; i++) {
        unsigned rank = table->columns[i].rank;

        if (rank != TABLE_RANK_ALWAYS && !table->state[i].hidden &&
            (least == table->count || rank < table->columns[least].rank))
            least = i;
    }
    return least;
}

static void fit(struct table *table)
{
    size_t available = scols_table_get_termwidth(table->lines);

    while (needed_width(table) > available) {
        size_t i = least_important(table);
        struct libscols_column *column;

        if (i == table->count)
            return;
        table->state[i].hidden = true;
        column = scols_table_get_column(table->lines, i);
        scols_column_set_flags(column, scols_column_get_flags(column) | SCOLS_FL_HIDDEN);
    }
}

void table_print(struct table *table)
{
    if (!table)
        return;
    if (isatty(STDOUT_FILENO) && !table->whole)
        fit(table);
    scols_print_table(table->lines);
}

char *table_text(struct table *table)
{
    char *text = NULL;

    if (!table)
        return NULL;
    if (isatty(STDOUT_FILENO) && !table->whole)
        fit(table);
    return scols_print_table_to_string(table->lines, &text) == 0 ? text : NULL;
}

/*
 * Table: aligned columns on standard output, made to fit the terminal.
 *
 * Where the terminal is too narrow, columns that may be left out go first, those of the lowest
 * rank before others, then texts are cut. Elsewhere, as in a pipe or a file, all is printed.
 * Cells come out fit for a terminal (safe_text.h).
 */
#pragma once

#include <stddef.h>

#include "util/cleanup.h"

enum { TABLE_RANK_ALWAYS = 0 }; /* the column stays */

enum table_column_kind {
    TABLE_TEXT,   /* to the left, may be cut */
    TABLE_WORD,   /* to the left, whole */
    TABLE_NUMBER, /* to the right, whole */
};

enum { TABLE_COLUMN_KIND_COUNT = TABLE_NUMBER + 1 };

struct table_column {
    const char *name;
    enum table_column_kind kind;
    unsigned rank; /* the lower, the sooner left out */
};

struct table;

/* columns must outlive the table. Out of memory anywhere: an incomplete table, or NULL; all
 * functions accept NULL. */
struct table *table_new(const struct table_column *columns, size_t count);
struct table *table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free);

/* As a block: without the line of names, and whole where it does not fit. */
void table_make_block(struct table *table);

/* Begins a row; its cells follow from left to right. */
void table_row(struct table *table);
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints nothing if there are no rows. */
void table_print(struct table *table);

/* What table_print() would print; the caller frees it. NULL: nothing. */
char *table_text(struct table *table);

#include "block.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "field.h"
#include "table.h"
#include "units.h"
#include "vm_record.h"

/* A table of two columns goes by the name of block. */
struct block {
    struct table *table;
};

static const struct table_column columns[] = {
    { "KEY", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "VALUE", TABLE_WORD, TABLE_RANK_ALWAYS },
};

struct block *block_new(void)
{
    struct block *block = calloc(1, sizeof(*block));

    if (!block)
        return NULL;
    block->table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    table_make_block(block->table);
    return block;
}

struct block *block_free(struct block *block)
{
    if (!block)
        return NULL;
    table_free(block->table);
    free(block);
    return NULL;
}

void block_line(struct block *block, const char *key, const char *format, ...)
{
    _cleanup_free_ char *value = NULL;
    va_list args;
    int n;

    if (!block)
        return;
    va_start(args, format);
    n = vasprintf(&value, format, args);
    va_end(args);
    if (n < 0) {
        value = NULL; /* else it is undefined */
        return;
    }
    table_row(block->table);
    table_cell(block->table, "%s", key);
    table_cell(block->table, "%s", value);
}

void block_size(struct block *block, const char *key, int64_t bytes)
{
    char text[UNITS_TEXT_SIZE];

    block_line(block, key, "%s (%" PRId64 " bytes)", units_format_size(bytes, text), bytes);
}

void block_peer(struct block *block, const char *key, struct json_object *peer)
{
    char name[VM_RECORD_TEXT_SIZE];

    if (peer)
        block_line(block, key, "%s (uid %" PRId64 ", gid %" PRId64 ", pid %" PRId64 ")",
                   vm_record_format_user(field_integer(peer, "uid"), name),
                   field_integer(peer, "uid"), field_integer(peer, "gid"),
                   field_integer(peer, "pid"));
}

void block_time(struct block *block, const char *key, const char *wire_time)
{
    char when[VM_RECORD_TEXT_SIZE], age[UNITS_TEXT_SIZE];

    if (wire_time[0])
        block_line(block, key, "%s, %s ago", vm_record_format_time(wire_time, when),
                   units_format_duration(vm_record_age_ns(wire_time), age));
}

void block_print(struct block *block)
{
    if (block)
        table_print(block->table);
}

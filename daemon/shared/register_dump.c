#include "shared/register_dump.h"

#include <stdio.h>

void register_dump_add(struct register_dump *dump, const char *name, uint64_t value)
{
    struct register_value *row = &dump->rows[dump->count];

    if (dump->count == REGISTER_DUMP_MAX)
        return;
    snprintf(row->name, sizeof(row->name), "%s", name);
    row->value = value;
    dump->count++;
}

#include "board/device_table.h"

#include <errno.h>
#include <string.h>

static bool is_there(const struct device_row *row, bool bare)
{
    return !bare || !row->kernels_only;
}

void device_table_reset(const struct device_table *table, bool bare, void *board)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct device_row *row = &table->rows[i];

        if (!is_there(row, bare))
            continue;
        memset((char *)board + row->state_offset, 0, row->state_size);
        if (row->reset)
            row->reset((char *)board + row->offset);
    }
}

static const char *explain(int error)
{
    switch (error) {
    case -ENOSPC:
        return "it is full";
    case -EADDRINUSE:
        return "another one is there";
    default:
        return "its functions and widths do not go together";
    }
}

static int place(const struct device_row *row, void *board, struct bus *bus, struct error *err)
{
    for (unsigned i = 0; i < DEVICE_RANGES_MAX && row->ranges[i].size > 0; i++) {
        struct bus_range range = row->ranges[i];
        int r;

        range.device = (char *)board + row->offset;
        r = bus_add(bus, range);
        if (r < 0)
            return error_set(err, r, "cannot put the device '%s' on the bus: %s", row->name,
                             explain(r));
    }
    return 0;
}

int device_table_place(const struct device_table *table, bool bare, void *board, struct bus *bus,
                       struct error *err)
{
    int r = 0;

    for (size_t i = 0; i < table->count && r == 0; i++)
        if (is_there(&table->rows[i], bare))
            r = place(&table->rows[i], board, bus, err);
    return r;
}

#include "kvm/bus.h"

#include <errno.h>
#include <stddef.h>

/* By distances, which do not overflow where a range ends at the last address. */
static bool overlap(const struct bus_range *a, const struct bus_range *b)
{
    return a->base - b->base < b->size || b->base - a->base < a->size;
}

/* Without widths, a wide function would never be called, and nobody would miss it. */
static bool is_sound(const struct bus_range *range)
{
    const unsigned all = BUS_8_BITS | BUS_16_BITS | BUS_32_BITS | BUS_64_BITS;
    const bool wide = range->read_wide || range->write_wide;

    return !(range->read && range->read_wide) && !(range->write && range->write_wide) &&
           wide == (range->widths != 0) && (range->widths & ~all) == 0;
}

int bus_add(struct bus *bus, struct bus_range range)
{
    if (!is_sound(&range))
        return -EPROTOTYPE;
    for (unsigned i = 0; i < bus->count; i++)
        if (overlap(&bus->ranges[i], &range))
            return -EADDRINUSE;
    if (bus->count == BUS_RANGES_MAX)
        return -ENOSPC;
    bus->ranges[bus->count++] = range;
    return 0;
}

static const struct bus_range *bus_find(const struct bus *bus, uint64_t address)
{
    for (unsigned i = 0; i < bus->count; i++)
        if (address - bus->ranges[i].base < bus->ranges[i].size)
            return &bus->ranges[i];
    return NULL;
}

/* The widths that a device takes. 0: it does not answer, nor does one that is not there. */
static unsigned find_widths(const struct bus_range *range, enum io_direction direction)
{
    bool bytes, wide;

    if (!range)
        return 0;
    bytes = direction == IO_IN ? range->read != NULL : range->write != NULL;
    wide = direction == IO_IN ? range->read_wide != NULL : range->write_wide != NULL;
    return bytes ? BUS_8_BITS : wide ? range->widths : 0;
}

bool bus_has(const struct bus *bus, enum io_direction direction, uint64_t address)
{
    return find_widths(bus_find(bus, address), direction) != 0;
}

/* The largest of the widths that fits into `room` bytes. 0: none does. */
static unsigned fit(unsigned widths, uint64_t room)
{
    for (unsigned width = BUS_64_BITS; width > 0; width /= 2)
        if (widths & width && width <= room)
            return width;
    return 0;
}

/* The next piece of an access that has `left` bytes to go. 0: nobody answers to its first byte. */
static unsigned next_piece(const struct bus_range *range, enum io_direction direction,
                           uint64_t address, unsigned left)
{
    uint64_t room = range ? range->size - (address - range->base) : 0;

    return fit(find_widths(range, direction), room < left ? room : left);
}

static uint64_t read_piece(const struct bus_range *range, uint64_t offset, unsigned size)
{
    return range->read ? range->read(range->device, offset)
                       : range->read_wide(range->device, offset, size);
}

static void write_piece(const struct bus_range *range, uint64_t offset, uint64_t value,
                        unsigned size)
{
    if (range->write)
        range->write(range->device, offset, (uint8_t)value);
    else
        range->write_wide(range->device, offset, value, size);
}

static uint64_t get_little_endian(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static void put_little_endian(uint8_t *bytes, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

void bus_read(const struct bus *bus, uint64_t address, void *data, unsigned size)
{
    uint8_t *bytes = data;

    for (unsigned i = 0; i < size;) {
        const struct bus_range *range = bus_find(bus, address + i);
        unsigned piece = next_piece(range, IO_IN, address + i, size - i);

        if (piece > 0) {
            put_little_endian(bytes + i, read_piece(range, address + i - range->base, piece),
                              piece);
            i += piece;
        } else {
            bytes[i++] = 0xff;
        }
    }
}

void bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned size)
{
    const uint8_t *bytes = data;

    for (unsigned i = 0; i < size;) {
        const struct bus_range *range = bus_find(bus, address + i);
        unsigned piece = next_piece(range, IO_OUT, address + i, size - i);

        if (piece > 0)
            write_piece(range, address + i - range->base, get_little_endian(bytes + i, piece),
                        piece);
        i += piece > 0 ? piece : 1;
    }
}

#include "kvm/bus.h"

#include <assert.h>
#include <stddef.h>

void bus_add(struct bus *bus, struct bus_range range)
{
    assert(bus->count < BUS_RANGES_MAX);
    bus->ranges[bus->count++] = range;
}

static const struct bus_range *bus_find(const struct bus *bus, uint64_t address)
{
    for (unsigned i = 0; i < bus->count; i++)
        if (address - bus->ranges[i].base < bus->ranges[i].size)
            return &bus->ranges[i];
    return NULL;
}

bool bus_has(const struct bus *bus, enum io_direction direction, uint64_t address)
{
    const struct bus_range *range = bus_find(bus, address);

    return range && (direction == IO_IN ? range->read != NULL : range->write || range->write_wide);
}

void bus_read(const struct bus *bus, uint64_t address, void *data, unsigned size)
{
    uint8_t *bytes = data;

    for (unsigned i = 0; i < size; i++) {
        const struct bus_range *range = bus_find(bus, address + i);

        bytes[i] =
            range && range->read ? range->read(range->device, address + i - range->base) : 0xff;
    }
}

static uint64_t little_endian(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/* Writes the beginning of an access. Returns the bytes written, 1 to size. */
static unsigned write_some(const struct bus_range *range, uint64_t offset, const uint8_t *bytes,
                           unsigned size)
{
    if (!range->write_wide) {
        if (range->write)
            range->write(range->device, offset, bytes[0]);
        return 1;
    }
    if (size > range->size - offset)
        size = (unsigned)(range->size - offset);
    range->write_wide(range->device, offset, little_endian(bytes, size), size);
    return size;
}

void bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned size)
{
    const uint8_t *bytes = data;

    for (unsigned i = 0; i < size;) {
        const struct bus_range *range = bus_find(bus, address + i);

        if (range)
            i += write_some(range, address + i - range->base, bytes + i, size - i);
        else
            i++;
    }
}

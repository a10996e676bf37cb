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

bool bus_has(const struct bus *bus, uint64_t address)
{
    return bus_find(bus, address) != NULL;
}

void bus_read(const struct bus *bus, uint64_t address, void *data, unsigned size)
{
    uint8_t *bytes = data;

    for (unsigned i = 0; i < size; i++) {
        const struct bus_range *range = bus_find(bus, address + i);

        bytes[i] = range ? range->read(range->device, address + i - range->base) : 0xff;
    }
}

void bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned size)
{
    const uint8_t *bytes = data;

    for (unsigned i = 0; i < size; i++) {
        const struct bus_range *range = bus_find(bus, address + i);

        if (range)
            range->write(range->device, address + i - range->base, bytes[i]);
    }
}

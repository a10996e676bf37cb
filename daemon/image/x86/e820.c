#include "image/x86/e820.h"

static void add(struct e820_entry *entries, size_t *count, gpa_t start, gpa_t end,
                enum e820_type type)
{
    size_t at = *count;

    if (start >= end)
        return;
    for (; at > 0 && entries[at - 1].start > start; at--)
        entries[at] = entries[at - 1];
    entries[at] = (struct e820_entry){ .start = start, .size = end - start, .type = type };
    (*count)++;
}

size_t e820_fill(const struct guest_memory *memory, struct e820_entry ret[E820_ENTRIES_MAX])
{
    size_t count = 0;

    add(ret, &count, 0, memory->size < EBDA_START ? memory->size : EBDA_START, E820_RAM);
    add(ret, &count, EBDA_START, HIGH_MEMORY_START, E820_RESERVED);
    for (size_t i = 0; i < memory->region_count; i++) {
        const struct guest_region *region = &memory->regions[i];
        gpa_t start = region->base > HIGH_MEMORY_START ? region->base : HIGH_MEMORY_START;

        add(ret, &count, start, region->base + region->size,
            region->readonly ? E820_RESERVED : E820_RAM);
    }
    return count;
}

/*
 * Checksum of the tables that a PC's firmware leaves in memory: the byte that makes the sum of all
 * of a table's bytes 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint8_t checksum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    while (size-- > 0)
        sum += *bytes++;
    return (uint8_t)-sum;
}

/*
 * fw_cfg: how QEMU tells firmware and kernels what machine they are on. Here as much of it as
 * guests made for QEMU look for: that it is QEMU's, how much memory, how many processors.
 *
 * QEMU's docs/specs/fw_cfg: a word written to the first port selects an item, whose bytes are then
 * read from the second, one by one, and zeros after its end. An item that is not there is empty.
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdint.h>

#include "kvm/bus.h"

/* A write is to the selector, which is a word, and only that; a read is of bytes. */
enum { FW_CFG_PORTS = 2, FW_CFG_WIDTHS = BUS_16_BITS };

struct fw_cfg {
    uint64_t memory_bytes;
    uint16_t cpus;

    uint16_t key;      /* from here on: its state, 0 after a reset */
    uint32_t position; /* within the item that key selects */
};

void fw_cfg_init(struct fw_cfg *fw_cfg, uint64_t memory_bytes, unsigned cpus);

/* A struct bus_range's functions, at port 0x510. */
uint8_t fw_cfg_read(void *fw_cfg, uint64_t offset);
void fw_cfg_write(void *fw_cfg, uint64_t offset, uint64_t value, unsigned size);

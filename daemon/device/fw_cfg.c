#include "device/fw_cfg.h"

/* QEMU's docs/specs/fw_cfg and include/standard-headers/linux/qemu_fw_cfg.h */
enum {
    DATA_PORT = 1,

    KEY_SIGNATURE = 0x00,
    KEY_ID = 0x01,
    KEY_RAM_SIZE = 0x03,
    KEY_NB_CPUS = 0x05,
    KEY_MAX_CPUS = 0x0f,

    KEY_WRITE_CHANNEL = 0x4000, /* once chose whether to write; now without a meaning */

    ID_TRADITIONAL = 0x01, /* the two ports; no DMA */
};

#define SIGNATURE UINT64_C(0x554d4551) /* "QEMU" */

void fw_cfg_init(struct fw_cfg *fw_cfg, uint64_t memory_bytes, unsigned cpus)
{
    *fw_cfg = (struct fw_cfg){ .memory_bytes = memory_bytes, .cpus = (uint16_t)cpus };
}

/* Every item there is is a little-endian number of at most 8 bytes. */
static uint64_t item(const struct fw_cfg *fw_cfg)
{
    switch (fw_cfg->key) {
    case KEY_SIGNATURE:
        return SIGNATURE;
    case KEY_ID:
        return ID_TRADITIONAL;
    case KEY_RAM_SIZE:
        return fw_cfg->memory_bytes;
    case KEY_NB_CPUS:
    case KEY_MAX_CPUS:
        return fw_cfg->cpus;
    default:
        return 0;
    }
}

uint8_t fw_cfg_read(void *device, uint64_t offset)
{
    struct fw_cfg *fw_cfg = device;

    if (offset != DATA_PORT)
        return 0xff;
    if (fw_cfg->position >= sizeof(uint64_t))
        return 0;
    return (uint8_t)(item(fw_cfg) >> 8 * fw_cfg->position++);
}

void fw_cfg_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct fw_cfg *fw_cfg = device;

    (void)offset, (void)size; /* a word fits at one place only */
    fw_cfg->key = (uint16_t)value & (uint16_t)~KEY_WRITE_CHANNEL;
    fw_cfg->position = 0;
}

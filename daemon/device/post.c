#include "device/post.h"

enum { WRITTEN = 0x100 };

bool post_code_get(const struct post_code *code, uint8_t *ret)
{
    uint16_t last = atomic_load_explicit(&code->last, memory_order_relaxed);

    if (!(last & WRITTEN))
        return false;
    *ret = (uint8_t)last;
    return true;
}

uint8_t post_code_read(void *device, uint64_t offset)
{
    uint8_t code;

    (void)offset;
    return post_code_get(device, &code) ? code : 0xff;
}

void post_code_write(void *device, uint64_t offset, uint8_t value)
{
    struct post_code *code = device;

    (void)offset;
    atomic_store_explicit(&code->last, (uint16_t)(WRITTEN | value), memory_order_relaxed);
}

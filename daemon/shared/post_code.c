#include "shared/post_code.h"

enum { WRITTEN = 0x100 };

bool post_code_get(const struct post_code *code, uint8_t *ret)
{
    uint16_t last = atomic_load_explicit(&code->last, memory_order_relaxed);

    if (!(last & WRITTEN))
        return false;
    *ret = (uint8_t)last;
    return true;
}

void post_code_set(struct post_code *code, uint8_t value)
{
    atomic_store_explicit(&code->last, (uint16_t)(WRITTEN | value), memory_order_relaxed);
}

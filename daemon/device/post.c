#include "device/post.h"

uint8_t post_code_read(void *device, uint64_t offset)
{
    uint8_t code;

    (void)offset;
    return post_code_get(device, &code) ? code : 0xff;
}

void post_code_write(void *device, uint64_t offset, uint8_t value)
{
    (void)offset;
    post_code_set(device, value);
}

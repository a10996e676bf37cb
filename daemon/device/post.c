#include "device/post.h"

uint8_t post_read(void *device, uint64_t offset)
{
    const struct post *post = device;
    uint8_t code;

    (void)offset;
    return post_code_get(post->code, &code) ? code : 0xff;
}

void post_write(void *device, uint64_t offset, uint8_t value)
{
    const struct post *post = device;

    (void)offset;
    post_code_set(post->code, value);
}

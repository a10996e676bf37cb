#include "util/shared_copy.h"

#include <stdint.h>
#include <string.h>

static size_t word_aligned(const void *pointer, size_t size)
{
    return (uintptr_t)pointer % sizeof(uint64_t) == 0 && size >= sizeof(uint64_t);
}

void shared_store(void *shared, const void *data, size_t size)
{
    unsigned char *to = shared;
    const unsigned char *from = data;

    while (size > 0) {
        if (word_aligned(to, size)) {
            uint64_t word;

            memcpy(&word, from, sizeof(word));
            __atomic_store_n((uint64_t *)(void *)to, word, __ATOMIC_RELEASE);
            to += sizeof(word);
            from += sizeof(word);
            size -= sizeof(word);
        } else {
            __atomic_store_n(to++, *from++, __ATOMIC_RELEASE);
            size--;
        }
    }
}

void shared_load(const void *shared, void *data, size_t size)
{
    const unsigned char *from = shared;
    unsigned char *to = data;

    while (size > 0) {
        if (word_aligned(from, size)) {
            uint64_t word = __atomic_load_n((const uint64_t *)(const void *)from, __ATOMIC_ACQUIRE);

            memcpy(to, &word, sizeof(word));
            to += sizeof(word);
            from += sizeof(word);
            size -= sizeof(word);
        } else {
            *to++ = __atomic_load_n(from++, __ATOMIC_ACQUIRE);
            size--;
        }
    }
}

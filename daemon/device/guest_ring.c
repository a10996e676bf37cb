#include "device/guest_ring.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include "guests/hypercall.h"

/* As the guest lays it out, little-endian. */
struct descriptor {
    uint32_t magic;
    uint32_t features;
    uint32_t size;
    uint32_t reserved;
    uint64_t data;
};

static_assert(offsetof(struct descriptor, data) == RING_DATA_AT && sizeof(struct descriptor) == 24,
              "docs/guests.md, \"Output ring\"");

static int check(const struct guest_memory *memory, gpa_t address,
                 const struct descriptor *descriptor, struct error *err)
{
    if (descriptor->magic != RING_MAGIC)
        return error_set(err, -EINVAL, "its magic is 0x%" PRIx32 ", not 0x%x", descriptor->magic,
                         RING_MAGIC);
    if (descriptor->features != 0 || descriptor->reserved != 0)
        return error_set(err, -EINVAL, "its features are 0x%" PRIx32 " and 0x%" PRIx32 ", not 0",
                         descriptor->features, descriptor->reserved);
    if (descriptor->size < RING_SIZE_MIN || descriptor->size > RING_SIZE_MAX ||
        (descriptor->size & (descriptor->size - 1)) != 0)
        return error_set(err, -EINVAL,
                         "its size is %" PRIu32 ", no power of two from %d to %d bytes",
                         descriptor->size, RING_SIZE_MIN, RING_SIZE_MAX);
    if (!guest_memory_holds(memory, descriptor->data, descriptor->size))
        return error_set(err, -EINVAL,
                         "its %" PRIu32 " bytes of data at 0x%" PRIx64 " are not all memory",
                         descriptor->size, descriptor->data);
    if (!guest_memory_holds(memory, address, RING_DESCRIPTOR_SIZE))
        return error_set(err, -EINVAL, "its descriptor at 0x%" PRIx64 " is not all memory",
                         address);
    return 0;
}

int guest_ring_open(struct guest_ring *ring, const struct guest_memory *memory, gpa_t address,
                    struct error *err)
{
    struct descriptor descriptor;
    uint32_t consumed;
    int r;

    if (address % RING_ALIGNMENT != 0)
        return error_set(err, -EINVAL, "its descriptor at 0x%" PRIx64 " is not at a multiple of %d",
                         address, RING_ALIGNMENT);
    if (guest_memory_read(memory, address, &descriptor, sizeof(descriptor)) < 0 ||
        guest_memory_read(memory, address + RING_CONSUMER_AT, &consumed, sizeof(consumed)) < 0)
        return error_set(err, -EINVAL, "its descriptor at 0x%" PRIx64 " is not all memory",
                         address);
    r = check(memory, address, &descriptor, err);
    if (r < 0)
        return r;
    *ring = (struct guest_ring){
        .descriptor = address,
        .data = descriptor.data,
        .size = descriptor.size,
        .consumed = consumed,
    };
    return 0;
}

const uint32_t *guest_ring_producer(const struct guest_ring *ring,
                                    const struct guest_memory *memory)
{
    return guest_memory_word(memory, ring->descriptor + RING_PRODUCER_AT);
}

/* Bytes [position, position + size) of all that was ever written, all in the ring. */
static void move(const struct guest_ring *ring, const struct guest_memory *memory,
                 uint32_t position, uint32_t size, const struct console *console)
{
    unsigned char bytes[4096];

    while (size > 0) {
        uint32_t at = position & (ring->size - 1);
        uint32_t n = size < sizeof(bytes) ? size : (uint32_t)sizeof(bytes);

        if (n > ring->size - at)
            n = ring->size - at;
        /* it held when the ring was opened, and memory stays */
        (void)guest_memory_read(memory, ring->data + at, bytes, n);
        console_write(console, bytes, n);
        position += n;
        size -= n;
    }
}

int guest_ring_drain(struct guest_ring *ring, struct guest_memory *memory,
                     const struct console *console, struct error *err)
{
    uint32_t produced, count;

    if (ring->size == 0)
        return 0;
    /* acquire: the guest wrote the data before it */
    produced = __atomic_load_n(guest_ring_producer(ring, memory), __ATOMIC_ACQUIRE);
    count = produced - ring->consumed;
    if (count == 0)
        return 0;
    if (count > ring->size) {
        ring->size = 0;
        return error_set(err, -EBADMSG,
                         "the output ring was ended: its producer index is %" PRIu32 ", %" PRIu32
                         " bytes past the consumer's %" PRIu32 ", more than the ring can hold",
                         produced, count, ring->consumed);
    }
    move(ring, memory, ring->consumed, count, console);
    ring->consumed = produced;
    /* release: from here on the guest may overwrite what was read */
    __atomic_store_n(guest_memory_word(memory, ring->descriptor + RING_CONSUMER_AT), produced,
                     __ATOMIC_RELEASE);
    return 0;
}

/*
 * Guest ring: output that a guest leaves in a ring in its own memory, so that it need not leave the
 * guest for each byte (guests/hypercall.h, "Output ring").
 *
 * The guest owns data and producer, the VMM the consumer. All it says is hostile: the descriptor is
 * read once, and the producer once for each look, and an index that cannot be ends the ring.
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "device/console.h"
#include "kvm/guest_memory.h"
#include "util/error.h"

/* All that is known of a ring, in numbers: checked once, when it was opened. */
struct guest_ring {
    gpa_t descriptor;
    gpa_t data;
    uint32_t size;     /* bytes of data; 0: there is no ring */
    uint32_t consumed; /* bytes ever taken, modulo 2^32 */
};

/* Takes the ring whose descriptor is at that address, instead of any before. Errors: -EINVAL, and
 * the ring is as it was. */
int guest_ring_open(struct guest_ring *ring, const struct guest_memory *memory, gpa_t descriptor,
                    struct error *err);

/* Moves what is in the ring to the console. Does nothing where there is no ring. memory: where it
 * was opened. Errors: -EBADMSG, the guest broke the ring, and there is none any more. */
int guest_ring_drain(struct guest_ring *ring, struct guest_memory *memory,
                     const struct console *console, struct error *err);

/* Where the guest says how much it has ever written, modulo 2^32, as guest_memory_word() has it.
 * There is a ring. */
const uint32_t *guest_ring_producer(const struct guest_ring *ring,
                                    const struct guest_memory *memory);

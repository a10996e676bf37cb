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

struct guest_ring {
    struct guest_memory *memory;
    gpa_t data;
    uint32_t size;            /* bytes of data; 0: there is no ring */
    uint32_t consumed;        /* bytes ever taken, modulo 2^32 */
    const uint32_t *produced; /* bytes ever written, in the guest's memory */
    uint32_t *told;           /* `consumed`, there */
};

/* Takes the ring whose descriptor is at that address, instead of any before. Errors: -EINVAL, and
 * the ring is as it was. */
int guest_ring_open(struct guest_ring *ring, struct guest_memory *memory, gpa_t descriptor,
                    struct error *err);

/* Moves what is in the ring to the console. Does nothing where there is no ring. Errors: -EBADMSG,
 * the guest broke the ring, and there is none any more. */
int guest_ring_drain(struct guest_ring *ring, const struct console *console, struct error *err);

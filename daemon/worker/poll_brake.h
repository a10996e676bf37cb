/*
 * Poll brake: keeps a guest that waits for input by asking again and again from burning a CPU.
 *
 * The first polls are free, so that a guest that looks now and then, or a few times before it
 * prints, is never slowed. A guest that does nothing but poll is made to wait before it goes on: a
 * little at first, twice as long each time, up to 2 ms. It wakes as soon as there is input.
 * Anything else that it does, printing, reading, or working for a while, sets it free again.
 */
#pragma once

#include <stdint.h>

struct poll_brake {
    unsigned polls;   /* in a row */
    uint64_t nap_ns;  /* the last wait */
    int64_t until_ns; /* CPU time: polls after this are not in a row with those before */
};

/*
 * The guest polled for nothing, when its thread had used cpu_ns of CPU time: on a busy host, time
 * in which the guest was not let run is no work of its. Returns how long it is to wait, ns; 0: not
 * at all.
 */
uint64_t poll_brake_poll(struct poll_brake *brake, int64_t cpu_ns);

/* The guest did something else. */
void poll_brake_release(struct poll_brake *brake);

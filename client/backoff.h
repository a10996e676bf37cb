/*
 * Backoff: when to try again what did not work, sooner at first and then less often, and when to
 * give up.
 *
 * All times are in nanoseconds on the monotonic clock; the caller brings the time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/clock.h"

/* A restarted daemon is there within milliseconds, and a client should not be what one waits for.
 */
#define BACKOFF_FIRST_NS (20 * CLOCK_NS_PER_MS)

/* A thousand clients that try once a second are no load, and a second's delay is not felt after an
 * outage of several. */
#define BACKOFF_LONGEST_NS (1 * CLOCK_NS_PER_SEC)

/*
 * After this, nobody is coming. The slowest restart that is still in order takes about 15 s: 4 s
 * until the old daemon is down, 10 s until a private one is ready. A script that waits should hear
 * of a daemon that is gone for good while that is still news.
 */
#define BACKOFF_LIMIT_NS (30 * CLOCK_NS_PER_SEC)

/* What went well for that long starts afresh. What did not, say a daemon that crashes whenever it
 * is asked something, is not tried more and more often. */
#define BACKOFF_STEADY_NS (10 * CLOCK_NS_PER_SEC)

/* All zero is one that has not been needed yet. */
struct backoff {
    int64_t began_ns; /* of this row of attempts */
    int64_t ended_ns; /* of the row before; 0: there was none */
    int64_t pause_ns; /* before the attempt that is next */
};

/* It does not work any more: a row of attempts begins. */
void backoff_begin(struct backoff *backoff, int64_t now_ns);

/* When the next attempt is due; false: it has been too long, give up. */
bool backoff_next(struct backoff *backoff, int64_t now_ns, int64_t *ret_ns);

/* It works again. */
void backoff_end(struct backoff *backoff, int64_t now_ns);

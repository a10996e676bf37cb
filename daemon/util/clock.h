/*
 * Clock: times in nanoseconds.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_SEC INT64_C(1000000000)
#define CLOCK_NS_PER_MS  INT64_C(1000000)

/* Since an unspecified start; never goes back. Any thread. */
int64_t clock_monotonic_ns(void);

/* CPU time of the calling thread, that of a guest it runs included. */
int64_t clock_thread_ns(void);

/* Since 1970-01-01T00:00:00Z; may jump when the clock is set. Any thread. */
int64_t clock_realtime_ns(void);

/* The same time, for calls that wait until then. Any thread. */
struct timespec clock_timespec(uint64_t ns);

enum { CLOCK_TEXT_SIZE = sizeof("2026-01-31T12:00:00.000Z") };

/* realtime_ns as RFC 3339 with milliseconds, UTC, into text. Returns text. Any thread. */
const char *clock_format(int64_t realtime_ns, char text[static CLOCK_TEXT_SIZE]);

#include "util/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * CLOCK_NS_PER_SEC + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t clock_thread_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_realtime_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

struct timespec clock_timespec(uint64_t ns)
{
    return (struct timespec){
        .tv_sec = (time_t)(ns / (uint64_t)CLOCK_NS_PER_SEC),
        .tv_nsec = (long)(ns % (uint64_t)CLOCK_NS_PER_SEC),
    };
}

const char *clock_format(int64_t realtime_ns, char text[static CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(realtime_ns / CLOCK_NS_PER_SEC);
    int ms = (int)(realtime_ns % CLOCK_NS_PER_SEC / CLOCK_NS_PER_MS);
    struct tm utc;
    size_t n;

    gmtime_r(&seconds, &utc);
    n = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + n, CLOCK_TEXT_SIZE - n, ".%03dZ", ms);
    return text;
}

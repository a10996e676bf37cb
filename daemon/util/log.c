#include "util/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"

static _Atomic int max_level = LOG_LEVEL_INFO;
static log_sink_fn sink = log_to_stderr;
static void *sink_context;

static const struct level_row {
    enum log_level level;
    const char *name;
} levels[] = {
    { LOG_LEVEL_ERROR, "error" },
    { LOG_LEVEL_WARNING, "warning" },
    { LOG_LEVEL_INFO, "info" },
    { LOG_LEVEL_DEBUG, "debug" },
};

enum { LEVEL_COUNT = sizeof(levels) / sizeof(levels[0]) };

void log_set_sink(log_sink_fn fn, void *context)
{
    sink = fn;
    sink_context = context;
}

void log_set_level(enum log_level level)
{
    max_level = (int)level;
}

enum log_level log_get_level(void)
{
    return (enum log_level)max_level;
}

int log_level_from_string(const char *text, enum log_level *ret)
{
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (strcmp(text, levels[i].name) == 0) {
            *ret = levels[i].level;
            return 0;
        }
    return -EINVAL;
}

const char *log_level_to_string(enum log_level level)
{
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (levels[i].level == level)
            return levels[i].name;
    return "unknown";
}

/*
 * One write for one line, so that lines of several threads do not mix. Where stderr is a pipe that
 * nobody reads, the line is dropped: the loop must not wait. (A pipe that poll(2) calls writable
 * has room for PIPE_BUF bytes, more than a line.)
 */
void log_to_stderr(void *context, const struct log_entry *entry)
{
    struct pollfd pollfd = { .fd = STDERR_FILENO, .events = POLLOUT };
    char line[LOG_LINE_SIZE + 32];
    int n = snprintf(line, sizeof(line), "vmmd: %s: %s\n", log_level_to_string(entry->level),
                     entry->message);

    (void)context;
    if (poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLOUT &&
        write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* there is nowhere left to say so */
}

void log_entry(const struct log_entry *entry)
{
    if ((int)entry->level <= max_level)
        sink(sink_context, entry);
}

void log_line(enum log_level level, const char *format, ...)
{
    char message[LOG_LINE_SIZE];
    va_list args;

    if ((int)level > max_level)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    sink(sink_context, &(struct log_entry){ .level = level, .message = message });
}

void log_vm_line(enum log_level level, uint64_t vm_id, const char *vm_name, const char *format, ...)
{
    char message[LOG_LINE_SIZE];
    va_list args;
    int used;

    if ((int)level > max_level)
        return;
    used = snprintf(message, sizeof(message), "VM '%s': ", vm_name);
    va_start(args, format);
    vsnprintf(message + used, sizeof(message) - (size_t)used, format, args);
    va_end(args);
    sink(sink_context,
         &(struct log_entry){
             .level = level, .message = message, .vm_id = vm_id, .vm_name = vm_name });
}

int log_limit_allows(struct log_limit *limit)
{
    int64_t second = clock_monotonic_ns() / CLOCK_NS_PER_SEC;

    if (second != limit->second) {
        if (limit->dropped > 0)
            log_warning("%u more lines like the last were not logged", limit->dropped);
        limit->second = second;
        limit->used = limit->dropped = 0;
    }
    if (limit->used < limit->burst) {
        limit->used++;
        return 1;
    }
    limit->dropped++;
    return 0;
}

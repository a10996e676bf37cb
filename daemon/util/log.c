#define SD_JOURNAL_SUPPRESS_LOCATION
#include "util/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include "util/clock.h"

enum { LINE_SIZE = 1024 };

static _Atomic int max_level = LOG_LEVEL_INFO;
static _Atomic int to_journal;

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

void log_open(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long device, inode;
    struct stat st;

    to_journal = stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
                 fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_set_level(enum log_level level)
{
    max_level = (int)level;
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
static void write_text(enum log_level level, const char *message)
{
    struct pollfd pollfd = { .fd = STDERR_FILENO, .events = POLLOUT };
    char line[LINE_SIZE + 32];
    int n = snprintf(line, sizeof(line), "vmmd: %s: %s\n", log_level_to_string(level), message);

    if (poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLOUT &&
        write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* there is nowhere left to say so */
}

void log_line(enum log_level level, const char *format, ...)
{
    char message[LINE_SIZE];
    va_list args;

    if ((int)level > max_level)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    if (to_journal)
        sd_journal_send("PRIORITY=%i", (int)level, "MESSAGE=%s", message, NULL);
    else
        write_text(level, message);
}

void log_vm_line(enum log_level level, uint64_t vm_id, const char *vm_name, const char *format, ...)
{
    char message[LINE_SIZE];
    va_list args;
    int used;

    if ((int)level > max_level)
        return;
    used = snprintf(message, sizeof(message), "VM '%s': ", vm_name);
    va_start(args, format);
    vsnprintf(message + used, sizeof(message) - (size_t)used, format, args);
    va_end(args);

    if (to_journal)
        sd_journal_send("PRIORITY=%i", (int)level, "MESSAGE=%s", message, "VM_ID=%" PRIu64, vm_id,
                        "VM_NAME=%s", vm_name, NULL);
    else
        write_text(level, message);
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

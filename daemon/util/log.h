/*
 * Log: lines to stderr as text, or to another sink.
 *
 * The level and the sink are the process's own, set by main and by SIGHUP: the one state in vmmd
 * that is not passed along, so that a line can be logged wherever a decision falls. Any thread.
 */
#pragma once

#include <stdint.h>

enum log_level { /* syslog(3) priorities */
                 LOG_LEVEL_ERROR = 3,
                 LOG_LEVEL_WARNING = 4,
                 LOG_LEVEL_INFO = 6,
                 LOG_LEVEL_DEBUG = 7,
};

enum { LOG_LINE_SIZE = 1024 };

struct log_entry {
    enum log_level level;
    const char *message; /* one line, without LF; what a sink cannot hold of it is cut */
    uint64_t vm_id;      /* 0: it is about no VM */
    const char *vm_name; /* NULL likewise */
};

/* Where lines go. Any thread calls it, several at once; it never waits. */
typedef void (*log_sink_fn)(void *context, const struct log_entry *entry);

/* The sink to begin with; context: NULL. */
void log_to_stderr(void *context, const struct log_entry *entry);

/* context must outlive the process. Main, before there are threads. */
void log_set_sink(log_sink_fn fn, void *context);

/* Lines less urgent than this are dropped. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warning", "info", "debug"; -EINVAL for any other text. */
int log_level_from_string(const char *text, enum log_level *ret);
const char *log_level_to_string(enum log_level level);

/* A line that somebody else put together. */
void log_entry(const struct log_entry *entry);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line about a VM: begins "VM 'name': " and carries the fields VM_ID and VM_NAME. */
void log_vm_line(enum log_level level, uint64_t vm_id, const char *vm_name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* At most `burst` lines in each second for what a guest or client can trigger at will. */
struct log_limit {
    unsigned burst;
    int64_t second;
    unsigned used;
    unsigned dropped;
};

/* Whether a line may be logged now; says once a second how many were not. One thread. */
int log_limit_allows(struct log_limit *limit);

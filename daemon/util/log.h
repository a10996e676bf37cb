/*
 * Log: lines to the journal, with fields, where stderr leads there; else to stderr as text.
 *
 * The level and the target are the process's own, set once by main and by SIGHUP: the one state in
 * vmmd that is not passed along, so that a line can be logged wherever a decision falls. Any
 * thread.
 */
#pragma once

#include <stdint.h>

enum log_level { /* syslog(3) priorities */
                 LOG_LEVEL_ERROR = 3,
                 LOG_LEVEL_WARNING = 4,
                 LOG_LEVEL_INFO = 6,
                 LOG_LEVEL_DEBUG = 7,
};

/* Finds out where stderr leads (sd_journal_stream_fd(3): $JOURNAL_STREAM). Call once, first. */
void log_open(void);

/* Lines less urgent than this are dropped. */
void log_set_level(enum log_level level);

/* "error", "warning", "info", "debug"; -EINVAL for any other text. */
int log_level_from_string(const char *text, enum log_level *ret);
const char *log_level_to_string(enum log_level level);

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

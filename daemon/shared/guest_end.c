#include "shared/guest_end.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const reasons[] = {
    [GUEST_END_NONE] = "none",
    [GUEST_END_HALTED] = "halted",
    [GUEST_END_GUEST_EXIT] = "guest-exit",
    [GUEST_END_STOPPED] = "stopped",
    [GUEST_END_KILLED] = "killed",
    [GUEST_END_TIMEOUT] = "timeout",
    [GUEST_END_SHUTDOWN] = "shutdown",
    [GUEST_END_ERROR] = "error",
    [GUEST_END_DAEMON_LOST] = "daemon-lost",
    [GUEST_END_WORKER_LOST] = "worker-lost",
};

static_assert(sizeof(reasons) / sizeof(reasons[0]) == GUEST_END_COUNT, "a word for each reason");

void guest_end_set(struct guest_end *end, enum guest_end_reason reason, int code,
                   const char *format, ...)
{
    va_list args;

    if (end->reason != GUEST_END_NONE)
        return;
    end->reason = reason;
    end->code = code;
    va_start(args, format);
    vsnprintf(end->message, sizeof(end->message), format, args);
    va_end(args);
}

const char *guest_end_reason_to_string(enum guest_end_reason reason)
{
    return reasons[reason];
}

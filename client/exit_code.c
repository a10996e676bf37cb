#include "exit_code.h"

#include <stddef.h>
#include <string.h>

#include "field.h"

enum { OWN_CODE = -1 }; /* the guest says */

static const struct exit_code_row {
    const char *reason;
    int code;
} rows[] = {
    { "halted", EXIT_CODE_OK },           { "guest-exit", OWN_CODE },
    { "stopped", EXIT_CODE_STOPPED },     { "killed", EXIT_CODE_STOPPED },
    { "timeout", EXIT_CODE_TIMEOUT },     { "shutdown", EXIT_CODE_CRASHED },
    { "error", EXIT_CODE_CRASHED },       { "daemon-lost", EXIT_CODE_CRASHED },
    { "worker-lost", EXIT_CODE_CRASHED },
};

int exit_code_of_guest(struct json_object *exit)
{
    const char *reason = field_text(exit, "reason");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].reason, reason) == 0)
            return rows[i].code == OWN_CODE ? (int)(field_integer(exit, "code") & 0xff)
                                            : rows[i].code;
    return EXIT_CODE_CRASHED;
}

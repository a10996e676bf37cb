/*
 * Exit codes: what vmmctl tells the shell.
 */
#pragma once

#include <json-c/json.h>

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,    /* the request failed */
    EXIT_CODE_USAGE = 2,     /* the command line is wrong */
    EXIT_CODE_NO_DAEMON = 3, /* there is none, or it went away */
    EXIT_CODE_TIMEOUT = 124, /* as timeout(1) has it */
    EXIT_CODE_CRASHED = 125, /* the guest failed, or what ran it is gone */
    EXIT_CODE_STOPPED = 130, /* as a shell has it for what SIGINT ended */
};

/*
 * The exit code that stands for the end of a guest; exit: openrpc.json, "Exit". A guest's own code
 * is taken modulo 256, as exit(3) does. A reason that is not known: EXIT_CODE_CRASHED.
 */
int exit_code_of_guest(struct json_object *exit);

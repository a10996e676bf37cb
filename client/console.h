/*
 * Console: a VM's output on standard output while it comes, and standard input for the guest, until
 * the VM has ended or the user wants no more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "client.h"

/* What a terminal is used for; in both, Ctrl-] detaches. */
enum console_keys {
    CONSOLE_NO_KEYS,     /* it is left alone */
    CONSOLE_ATTACH_KEYS, /* the other keys are the guest's */
    CONSOLE_RUN_KEYS,    /* the other keys are the guest's, but Ctrl-C is a signal to us */
};

struct console_request {
    struct json_object *start; /* params of vm.start, for a VM of our own; NULL: there is one */
    const struct passed_fds *passed; /* go with start; borrowed */
    const char *vm;                  /* else: id or name */
    struct json_object *from;        /* openrpc.json, "From"; NULL: the first byte */
    enum console_keys keys;
    bool filter; /* standard input is the guest's, and so is its end, if it is no terminal */
};

/*
 * Shows it all. *ret_exit is how the guest ended, which the caller releases, or NULL if the user
 * left before. Returns an exit code.
 *
 * A VM of our own is stopped by whatever signal would end us, and by nobody reading our output: the
 * first asks it to stop, the second kills it and drops its output, the third leaves. Where there
 * was one before, signals just end us.
 */
int console_run(struct client *client, const struct console_request *request,
                struct json_object **ret_exit);

/*
 * Error: a code for the caller and a sentence for the person at the prompt.
 *
 * Held by value, nothing to free. A function that can fail for a reason worth a sentence takes a
 * `struct error *` last and returns the negative errno it stored there.
 */
#pragma once

#include <stdarg.h>

enum { ERROR_TEXT_SIZE = 384 };

struct error {
    int code;          /* negative errno; 0: none */
    const char *about; /* static: the parameter that is to blame; or NULL */
    char text[ERROR_TEXT_SIZE];
};

/*
 * What codes mean between modules, where errno's own words do not say it:
 *   -ESRCH     no such VM                  -EEXIST    the name is taken
 *   -EBUSY     the VM's state forbids it   -ENOEXEC   the image is refused
 *   -EDQUOT    a configured limit          -ENODEV    KVM cannot do it
 *   -EIO       the state directory         -ERANGE    a position in the future
 *   -ENOENT    no such subscription        -ESHUTDOWN the daemon is going down
 */

/* Stores code (negative errno) and the sentence; returns code. err may be NULL. Any thread. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, and says which parameter is to blame. Any thread. */
int error_set_about(struct error *err, const char *about, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<sentence>: " before the text; returns err->code. Any thread. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#include "vmmd_binary.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

/* format: with one %s. NULL if that is no program to run. */
static char *runnable(const char *format, const char *directory)
    __attribute__((format(printf, 1, 0)));

static char *runnable(const char *format, const char *directory)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, format, directory) < 0) {
        path = NULL; /* else it is undefined */
        return NULL;
    }
    return access(path, X_OK) == 0 ? realpath(path, NULL) : NULL;
}

/* Cuts the last component off, in place. */
static const char *parent(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash)
        *slash = '\0';
    return path;
}

static char *find_beside_us(void)
{
    char own[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    const char *directory;
    char *found;

    if (n < 0)
        return NULL;
    own[n] = '\0';
    directory = parent(own);
    found = runnable("%s/../daemon/vmmd", directory);
    return found ? found : runnable("%s/../sbin/vmmd", directory);
}

static char *find_in_path(void)
{
    const char *variable = getenv("PATH");
    _cleanup_free_ char *copy = variable ? strdup(variable) : NULL;
    char *rest = copy, *directory, *found = NULL;

    while (!found && (directory = strsep(&rest, ":")))
        if (directory[0] == '/') /* the current directory is nowhere to find a daemon */
            found = runnable("%s/vmmd", directory);
    return found;
}

int vmmd_binary_find(char **ret_path, struct error *err)
{
    const char *named = getenv("VMMD");
    char *found;

    if (named && named[0]) {
        found = runnable("%s", named);
        if (!found)
            return error_set(err, -ENOENT, "cannot run '%s', which $VMMD names: %s", named,
                             strerror(errno));
    } else {
        found = find_beside_us();
        if (!found)
            found = runnable("%s", VMMD_INSTALLED);
        if (!found)
            found = find_in_path();
        if (!found)
            return error_set(err, -ENOENT,
                             "cannot find vmmd to start one: not beside vmmctl, not at '%s', not "
                             "in $PATH",
                             VMMD_INSTALLED);
    }
    *ret_path = found;
    return 0;
}

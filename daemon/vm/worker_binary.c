#include "vm/worker_binary.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

/* NULL: this program's own path is not to be found out. */
static char *beside_us(void)
{
    char own[PATH_MAX], *slash, *path;
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

    if (n < 0)
        return NULL;
    own[n] = '\0';
    slash = strrchr(own, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return asprintf(&path, "%s/vmmd-worker", own) < 0 ? NULL : path;
}

int worker_binary_find(char **ret, struct error *err)
{
    _cleanup_free_ char *beside = beside_us();
    char *installed;

    if (beside && access(beside, X_OK) == 0) {
        *ret = TAKE_PTR(beside);
        return 0;
    }
    if (access(VMMD_WORKER_INSTALLED, X_OK) < 0)
        return error_set(err, -ENOENT,
                         "cannot find vmmd-worker: neither at '%s' nor at '" VMMD_WORKER_INSTALLED
                         "'",
                         beside ? beside : "(unknown)");
    installed = strdup(VMMD_WORKER_INSTALLED);
    if (!installed)
        return error_set(err, -ENOMEM, "out of memory");
    *ret = installed;
    return 0;
}

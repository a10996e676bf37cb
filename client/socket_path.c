#include "socket_path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *socket_path_named(const char *option)
{
    const char *variable = getenv("VMMD_SOCKET");

    if (option)
        return option;
    return variable && variable[0] ? variable : NULL;
}

static bool is_own_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

int socket_path_private_directory(char path[static PATH_MAX], struct error *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n;

    if (runtime && runtime[0] == '/' && is_own_directory(runtime))
        n = snprintf(path, PATH_MAX, "%s/vmmd", runtime);
    else
        n = snprintf(path, PATH_MAX, "/tmp/vmmd-%u", (unsigned)geteuid());
    if (n >= PATH_MAX)
        return error_set(err, -ENAMETOOLONG, "$XDG_RUNTIME_DIR is too long");
    return 0;
}

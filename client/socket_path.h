/*
 * Socket path: where vmmctl looks for vmmd, in this order: --socket, $VMMD_SOCKET, the system's
 * daemon, the user's own.
 */
#pragma once

#include <limits.h>

#include "util/error.h"

#define SOCKET_PATH_SYSTEM "/run/vmmd/vmmd.sock"

/* What the user named: option (NULL: not given), else $VMMD_SOCKET; NULL: neither. */
const char *socket_path_named(const char *option);

/*
 * The directory of the user's own daemon, whether it exists or not: $XDG_RUNTIME_DIR/vmmd where
 * that directory is the user's own, as the XDG Base Directory Specification demands
 * ($XDG_RUNTIME_DIR of another user is what su leaves behind), else /tmp/vmmd-UID. Errors:
 * -ENAMETOOLONG.
 */
int socket_path_private_directory(char path[static PATH_MAX], struct error *err);

/*
 * vmmd binary: which program vmmctl starts as the private daemon.
 */
#pragma once

#include "util/error.h"

/*
 * $VMMD if set, else the first that can be run of: ../daemon/vmmd beside this program's directory
 * (a build tree), ../sbin/vmmd, where it was installed, $PATH. The caller frees *ret_path, which is
 * absolute. Errors: -ENOENT, -ENOMEM.
 */
int vmmd_binary_find(char **ret_path, struct error *err);

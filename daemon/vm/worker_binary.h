/*
 * Worker binary: where vmmd-worker is.
 */
#pragma once

#include "util/error.h"

/* Beside this program, as in a build tree; else where it is installed. The caller frees *ret.
 * Errors: -ENOENT, -ENOMEM. */
int worker_binary_find(char **ret, struct error *err);

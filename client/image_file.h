/*
 * Image file: the guest program, opened by the client so that the kernel checks the permissions of
 * whoever asked, and handed to the daemon as a descriptor.
 */
#pragma once

#include "util/error.h"

/*
 * Opens path ("-": standard input). A regular file is opened as it is; what can only be read once,
 * as a pipe, is read to its end into memory. *ret_name, for the record, points into path or is
 * constant. Errors: open(2)'s and read(2)'s, -EISDIR, -EFBIG.
 */
int image_file_open(const char *path, int *ret_fd, const char **ret_name, struct error *err);

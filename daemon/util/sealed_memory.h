/*
 * Sealed memory: what two processes map, and neither can cut short under the other's feet
 * (memfd_create(2), F_SEAL_SHRINK in fcntl(2)). Any thread.
 */
#pragma once

#include <stddef.h>

/* A descriptor of size bytes of zeros. name: as /proc shows it. Errors: negative errno. */
int sealed_memory_new(const char *name, size_t size);

/* Whether what a descriptor from elsewhere leads to is that: at least size bytes, which stay.
 * Errors: -EBADMSG. */
int sealed_memory_check(int fd, size_t size);

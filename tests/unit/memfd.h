/*
 * Memfd of given contents, where a test needs a file.
 */
#pragma once

#include <sys/mman.h>
#include <unistd.h>

/* A file that holds data[0..size), read from its start. The caller owns it. */
static inline int memfd_of(const void *data, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_int_not_equal(fd, -1);
    assert_int_equal(pwrite(fd, data, size, 0), size);
    return fd;
}

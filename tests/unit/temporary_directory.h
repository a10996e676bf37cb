/*
 * Temporary directory: for tests that need files. It may have directories in it.
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct temporary_directory {
    char path[4096];
    int fd;
};

static inline void temporary_directory_init(struct temporary_directory *directory)
{
    const char *parent = getenv("TMPDIR");

    snprintf(directory->path, sizeof(directory->path), "%s/vmmd-unit-XXXXXX",
             parent ? parent : "/tmp");
    assert_non_null(mkdtemp(directory->path));
    directory->fd = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_not_equal(directory->fd, -1);
}

/* How many files are in it. */
static inline size_t temporary_directory_count(const struct temporary_directory *directory)
{
    DIR *entries = opendir(directory->path);
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(entries);
    while ((entry = readdir(entries)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return count;
}

/* Deletes what is in a directory. */
static inline void temporary_directory_empty(int fd)
{
    DIR *entries = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const struct dirent *entry;

    assert_non_null(entries);
    while ((entry = readdir(entries))) {
        int inner;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            unlinkat(fd, entry->d_name, 0) == 0)
            continue;
        inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_not_equal(inner, -1);
        temporary_directory_empty(inner);
        close(inner);
        assert_int_equal(unlinkat(fd, entry->d_name, AT_REMOVEDIR), 0);
    }
    closedir(entries);
}

/* Deletes it, and what is in it. */
static inline void temporary_directory_deinit(struct temporary_directory *directory)
{
    temporary_directory_empty(directory->fd);
    close(directory->fd);
    assert_int_equal(rmdir(directory->path), 0);
}

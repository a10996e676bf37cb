#include "image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

#define COPY_MAX ((int64_t)1024 * 1024 * 1024) /* bytes; a pipe may have no end */

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static int copy_into(int from, int to, const char *path, struct error *err)
{
    char bytes[64 * 1024];
    int64_t copied = 0;

    for (;;) {
        ssize_t n = read(from, bytes, sizeof(bytes));
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, -errno, "cannot read the image '%s': %s", path, strerror(errno));
        if (n == 0)
            return 0;
        copied += n;
        if (copied > COPY_MAX)
            return error_set(err, -EFBIG,
                             "the image '%s' is no file and does not end within %lld bytes", path,
                             (long long)COPY_MAX);
        r = write_all(to, bytes, (size_t)n);
        if (r < 0)
            return error_set(err, r, "cannot keep the image '%s' in memory: %s", path,
                             strerror(-r));
    }
}

static int copy_to_memory(int from, const char *path, int *ret_fd, struct error *err)
{
    _cleanup_close_ int fd = memfd_create("image", MFD_CLOEXEC);
    int r;

    if (fd < 0)
        return error_set(err, -errno, "cannot make memory for the image: %s", strerror(errno));
    r = copy_into(from, fd, path, err);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_set(err, -errno, "cannot rewind the image: %s", strerror(errno));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int image_file_open(const char *path, int *ret_fd, const char **ret_name, struct error *err)
{
    _cleanup_close_ int fd = -1;
    int standard = strcmp(path, "-") == 0;
    const char *slash = strrchr(path, '/');
    struct stat st;
    int r;

    fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(err, -errno, "cannot open the image '%s': %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, -EISDIR, "cannot open the image '%s': it is a directory", path);
    /* Standard input may be somewhere in the middle of a file. */
    if (standard || !S_ISREG(st.st_mode)) {
        r = copy_to_memory(fd, path, ret_fd, err);
        if (r < 0)
            return r;
    } else {
        *ret_fd = TAKE_FD(fd);
    }
    *ret_name = standard ? "stdin" : slash ? slash + 1 : path;
    return 0;
}

#include "util/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "util/cleanup.h"

static const struct timespec retry_pause = { .tv_nsec = 20 * 1000 * 1000 };

enum { TRIES = 100 }; /* of a pause each: two seconds */

int lock_file_open(int directory_fd, const char *path)
{
    _cleanup_close_ int fd =
        openat(directory_fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EWOULDBLOCK || i == TRIES)
            return -errno;
        nanosleep(&retry_pause, NULL);
    }
    return TAKE_FD(fd);
}

#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * O_NONBLOCK belongs to the open file description, which the shell and its other children share:
 * set on descriptor 1 it would break them, and stay when we are killed. A terminal or a pipe can be
 * opened anew instead. Files need no such thing; what else there is, as a socket, may block.
 */
static int reopen_stdout(void)
{
    struct stat st;

    if (fstat(STDOUT_FILENO, &st) < 0 || !(S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)))
        return -1;
    return open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void sink_init(struct sink *sink)
{
    int fd;

    fflush(stdout);
    fd = reopen_stdout();
    *sink = (struct sink){ .fd = fd >= 0 ? fd : STDOUT_FILENO, .owned = fd >= 0 };
}

void sink_deinit(struct sink *sink)
{
    sink_drop(sink);
    if (sink->owned)
        close(sink->fd);
}

bool sink_is_pending(const struct sink *sink)
{
    return sink->start < sink->end;
}

void sink_put(struct sink *sink, char *bytes, size_t size)
{
    free(sink->bytes);
    sink->bytes = bytes;
    sink->start = 0;
    sink->end = size;
}

int sink_flush(struct sink *sink)
{
    while (sink_is_pending(sink)) {
        ssize_t n = write(sink->fd, sink->bytes + sink->start, sink->end - sink->start);

        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            sink->start += (size_t)n;
    }
    return 0;
}

void sink_drop(struct sink *sink)
{
    free(sink->bytes);
    sink->bytes = NULL;
    sink->start = sink->end = 0;
}

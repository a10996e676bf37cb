/*
 * Captured stderr: what was logged, for the test to look at.
 */
#pragma once

#include <fcntl.h>
#include <unistd.h>

struct captured_stderr {
    int stderr_fd; /* the one to go back to */
    int read_fd;
};

/* From here on, what goes to stderr is kept in a pipe, which blocks once it is full. */
static inline void captured_stderr_begin(struct captured_stderr *captured)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    captured->stderr_fd = dup(STDERR_FILENO);
    assert_int_not_equal(captured->stderr_fd, -1);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    captured->read_fd = fds[0];
}

/* Puts stderr back, and what was kept into text, NUL-terminated; what does not fit is lost. */
static inline void captured_stderr_end(struct captured_stderr *captured, char *text, size_t size)
{
    size_t used = 0;
    ssize_t n;

    assert_int_equal(dup2(captured->stderr_fd, STDERR_FILENO), STDERR_FILENO);
    close(captured->stderr_fd);
    while (used < size - 1 && (n = read(captured->read_fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    close(captured->read_fd);
}

/*
 * Child: what ends the process it happens in, done in one of its own.
 */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs fn in a child, which exits with what it returns. Returns how it ended, as wait(2) has it. */
static inline int child_run(int (*fn)(void *context), void *context)
{
    int status;
    pid_t pid = fork();

    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        static const struct rlimit none;

        (void)setrlimit(RLIMIT_CORE, &none);
        _exit(fn(context));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* It ended by that signal. */
static inline void assert_killed_by(int status, int number)
{
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
}

/* It came to its end, and all was well. */
static inline void assert_exited_well(int status)
{
    if (WIFSIGNALED(status))
        fail_msg("ended by signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

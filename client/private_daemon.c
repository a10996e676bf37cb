#include "private_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "util/clock.h"
#include "vmmd_binary.h"

#define LOG_NAME    "vmmd.log"
#define LOG_ERROR   "vmmd: error: "
#define LOCK_NAME   "lock"
#define NOTIFY_NAME "notify"
#define STATE_NAME  "state"
#define SOCKET_NAME "vmmd.sock" /* the longest: where this fits into a sun_path, the others do */
#define IDLE_EXIT   "60"        /* seconds */

enum {
    READY_TIMEOUT_MS = 10 * 1000,
    LOG_TAIL_SIZE = 1024,
    SOCKET_PATH_SIZE = sizeof(((struct sockaddr_un *)NULL)->sun_path),
};

/* What a start needs; filled step by step, released as a whole. */
struct start {
    const char *directory;
    int directory_fd; /* borrowed */
    char *binary;
    char socket_path[SOCKET_PATH_SIZE];
    char state_path[SOCKET_PATH_SIZE];
    char notify_path[SOCKET_PATH_SIZE];
    int notify_fd; /* the daemon tells here that it is ready: sd_notify(3) */
    int log_fd;
    int null_fd;
    pid_t pid;
    int pid_fd;
};

static void start_deinit(struct start *start)
{
    int fds[] = { start->notify_fd, start->log_fd, start->null_fd, start->pid_fd };

    if (start->notify_fd >= 0)
        unlinkat(start->directory_fd, NOTIFY_NAME, 0);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(start->binary);
}

static int path_in(const char *directory, const char *name, char path[static SOCKET_PATH_SIZE],
                   struct error *err)
{
    if (snprintf(path, SOCKET_PATH_SIZE, "%s/%s", directory, name) >= SOCKET_PATH_SIZE)
        return error_set(err, -ENAMETOOLONG,
                         "the path '%s/%s' is too long; a socket's may have %d bytes", directory,
                         name, SOCKET_PATH_SIZE - 1);
    return 0;
}

/* What tmux asks of its own: a directory, not a link to one, ours, and closed to everyone else. */
static int open_directory(const char *path, int *ret_fd, struct error *err)
{
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(err, -errno, "cannot make the directory '%s': %s", path, strerror(errno));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(err, -EPERM, "'%s' is no directory of yours to use: %s", path,
                         strerror(errno));
    if (st.st_uid != geteuid())
        return error_set(err, -EPERM, "'%s' belongs to user %u, not to you; it is not safe to use",
                         path, (unsigned)st.st_uid);
    if ((st.st_mode & 077) != 0)
        return error_set(err, -EPERM,
                         "'%s' is open to others (mode %03o); it must be 0700 to be safe", path,
                         (unsigned)st.st_mode & 0777);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Waits for whoever holds the lock, who needs READY_TIMEOUT_MS at most. */
static int take_lock(int directory_fd, int *ret_fd, struct error *err)
{
    _cleanup_close_ int fd =
        openat(directory_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return error_set(err, -errno, "cannot open the lock of the private vmmd: %s",
                         strerror(errno));
    do
        r = flock(fd, LOCK_EX);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return error_set(err, -errno, "cannot lock the directory of the private vmmd: %s",
                         strerror(errno));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int open_notify(struct start *start, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    strcpy(address.sun_path, start->notify_path);
    unlinkat(start->directory_fd, NOTIFY_NAME, 0); /* one that was killed left it */
    start->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (start->notify_fd < 0 ||
        bind(start->notify_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return error_set(err, -errno, "cannot make the socket '%s': %s", start->notify_path,
                         strerror(errno));
    return 0;
}

static int prepare(struct start *start, struct error *err)
{
    int r;

    r = vmmd_binary_find(&start->binary, err);
    if (r < 0)
        return r;
    r = path_in(start->directory, SOCKET_NAME, start->socket_path, err);
    if (r == 0)
        r = path_in(start->directory, STATE_NAME, start->state_path, err);
    if (r == 0)
        r = path_in(start->directory, NOTIFY_NAME, start->notify_path, err);
    if (r < 0)
        return r;
    r = open_notify(start, err);
    if (r < 0)
        return r;
    start->log_fd = openat(start->directory_fd, LOG_NAME,
                           O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (start->log_fd < 0)
        return error_set(err, -errno, "cannot write '%s/" LOG_NAME "': %s", start->directory,
                         strerror(errno));
    start->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (start->null_fd < 0)
        return error_set(err, -errno, "cannot open '/dev/null': %s", strerror(errno));
    return 0;
}

/*
 * In the child. Of the caller it keeps nothing but the environment: not the terminal, not the
 * directory, no descriptor (one end of a pipe would keep a reader waiting for ever), no signal
 * disposition.
 */
__attribute__((noreturn)) static void become_daemon(const struct start *start)
{
    const char *argv[] = {
        "vmmd",    "--socket", start->socket_path, "--state-dir", start->state_path, "--idle-exit",
        IDLE_EXIT, NULL
    };
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int signo = 1; signo < NSIG; signo++)
        signal(signo, SIG_DFL);
    if (setsid() < 0 || chdir("/") < 0 || dup2(start->null_fd, STDIN_FILENO) < 0 ||
        dup2(start->log_fd, STDOUT_FILENO) < 0 || dup2(start->log_fd, STDERR_FILENO) < 0 ||
        close_range(STDERR_FILENO + 1, ~0U, 0) < 0 ||
        setenv("NOTIFY_SOCKET", start->notify_path, 1) < 0)
        _exit(EXIT_FAILURE);
    execv(start->binary, (char **)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "cannot run '%s': %s\n", start->binary, strerror(errno));
    _exit(EXIT_FAILURE);
}

static int spawn(struct start *start, struct error *err)
{
    start->pid = fork();
    if (start->pid < 0)
        return error_set(err, -errno, "cannot start vmmd: %s", strerror(errno));
    if (start->pid == 0)
        become_daemon(start);
    start->pid_fd = pidfd_open(start->pid, 0);
    if (start->pid_fd < 0)
        return error_set(err, -errno, "cannot watch vmmd start: %s", strerror(errno));
    return 0;
}

/* Whether one of the datagrams that came has the line READY=1; others are for a service manager. */
static bool told_ready(int notify_fd)
{
    char text[4096];
    ssize_t n;

    while ((n = recv(notify_fd, text, sizeof(text) - 1, 0)) >= 0) {
        char *rest = text, *line;

        text[n] = '\0';
        while ((line = strsep(&rest, "\n")))
            if (strcmp(line, "READY=1") == 0)
                return true;
    }
    return false;
}

/* What the log says last, in text: the last error, else the last line; "" if there is none. */
static const char *last_words(int log_fd, char text[static LOG_TAIL_SIZE])
{
    const char *last = "", *error = NULL;
    char *rest = text, *line;
    struct stat st;
    off_t from;
    ssize_t n;

    if (fstat(log_fd, &st) < 0)
        return last;
    from = st.st_size < LOG_TAIL_SIZE ? 0 : st.st_size - (LOG_TAIL_SIZE - 1);
    n = pread(log_fd, text, LOG_TAIL_SIZE - 1, from);
    text[n > 0 ? n : 0] = '\0';
    while ((line = strsep(&rest, "\n"))) {
        if (strncmp(line, LOG_ERROR, strlen(LOG_ERROR)) == 0)
            error = line + strlen(LOG_ERROR);
        if (line[0])
            last = line;
    }
    return error ? error : last;
}

static int ended_early(const struct start *start, struct error *err)
{
    char text[LOG_TAIL_SIZE];
    const char *words;
    int status;

    if (waitpid(start->pid, &status, 0) < 0)
        return error_set(err, -errno, "cannot wait for vmmd: %s", strerror(errno));
    words = last_words(start->log_fd, text);
    if (words[0])
        return error_set(err, -ECHILD, "cannot start vmmd: %s", words);
    return error_set(err, -ENOEXEC,
                     "cannot start vmmd: '%s' ended at once with %s %d, saying nothing",
                     start->binary, WIFSIGNALED(status) ? "signal" : "status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int wait_until_ready(const struct start *start, struct error *err)
{
    int64_t deadline = clock_monotonic_ns() + READY_TIMEOUT_MS * CLOCK_NS_PER_MS;
    struct pollfd fds[] = {
        { .fd = start->notify_fd, .events = POLLIN },
        { .fd = start->pid_fd, .events = POLLIN },
    };

    for (;;) {
        int64_t left = (deadline - clock_monotonic_ns()) / CLOCK_NS_PER_MS;
        int n = left > 0 ? poll(fds, 2, (int)left) : 0;

        if (n < 0 && errno != EINTR)
            return error_set(err, -errno, "cannot wait for vmmd: %s", strerror(errno));
        if (told_ready(start->notify_fd))
            return 0;
        if (n > 0 && fds[1].revents)
            return ended_early(start, err);
        if (n == 0) {
            kill(start->pid, SIGKILL);
            waitpid(start->pid, NULL, 0);
            return error_set(
                err, -ETIMEDOUT,
                "the vmmd just started was not ready within %d s; its log is '%s/" LOG_NAME "'",
                READY_TIMEOUT_MS / 1000, start->directory);
        }
    }
}

/* One that was started by an earlier call, and has ended since, is our child still. */
static void bury_earlier_daemons(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static int start_daemon(const char *directory, int directory_fd, struct error *err)
{
    _cleanup_(start_deinit) struct start start = {
        .directory = directory,
        .directory_fd = directory_fd,
        .notify_fd = -1,
        .log_fd = -1,
        .null_fd = -1,
        .pid_fd = -1,
    };
    int r;

    r = prepare(&start, err);
    if (r < 0)
        return r;
    r = spawn(&start, err);
    if (r < 0)
        return r;
    return wait_until_ready(&start, err);
}

static bool nobody_listens(int r)
{
    return r == -ENOENT || r == -ECONNREFUSED;
}

int private_daemon_connect(const char *directory, struct connection **ret, struct error *err)
{
    _cleanup_close_ int directory_fd = -1, lock_fd = -1;
    char path[SOCKET_PATH_SIZE];
    int r;

    r = path_in(directory, SOCKET_NAME, path, err);
    if (r < 0)
        return r;
    r = open_directory(directory, &directory_fd, err);
    if (r < 0)
        return r;
    r = connection_open(path, ret, err);
    if (!nobody_listens(r))
        return r;

    r = take_lock(directory_fd, &lock_fd, err);
    if (r < 0)
        return r;
    r = connection_open(path, ret, err); /* another client may have been faster */
    if (!nobody_listens(r))
        return r;
    bury_earlier_daemons();
    r = start_daemon(directory, directory_fd, err);
    if (r < 0)
        return r;
    return connection_open(path, ret, err);
}

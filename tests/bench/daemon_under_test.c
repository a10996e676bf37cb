#include "daemon_under_test.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "protocol/line_buffer.h"
#include "protocol/message.h"

struct daemon_under_test {
    char directory[32];
    struct sockaddr_un address;
    pid_t pid;
    int fd;
    struct line_buffer lines;
};

static void exec_daemon(const struct daemon_under_test *daemon, const char *path)
{
    char state[64];
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a benchmark that gives up leaves no daemon behind */
    snprintf(state, sizeof(state), "%s/state", daemon->directory);
    dup2(null, STDERR_FILENO);
    execl(path, path, "--socket", daemon->address.sun_path, "--state-dir", state, (char *)NULL);
    _exit(127);
}

static void wait_and_connect(struct daemon_under_test *daemon)
{
    const struct timespec pause = { .tv_nsec = 5000000 };

    for (int tries = 0; tries < 2000; tries++) {
        daemon->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(daemon->fd, (struct sockaddr *)&daemon->address, sizeof(daemon->address)) == 0)
            return;
        close(daemon->fd);
        if (waitpid(daemon->pid, NULL, WNOHANG) == daemon->pid)
            errx(1, "vmmd ended at once; start it by hand to see why");
        nanosleep(&pause, NULL);
    }
    errx(1, "vmmd does not answer");
}

struct daemon_under_test *daemon_under_test_start(const char *path)
{
    struct daemon_under_test *daemon = calloc(1, sizeof(*daemon));

    if (!daemon)
        err(1, "memory");
    strcpy(daemon->directory, "/tmp/vmmd-bench-XXXXXX");
    if (!mkdtemp(daemon->directory))
        err(1, "%s", daemon->directory);
    daemon->address.sun_family = AF_UNIX;
    snprintf(daemon->address.sun_path, sizeof(daemon->address.sun_path), "%s/vmmd.sock",
             daemon->directory);
    line_buffer_init(&daemon->lines, (size_t)64 * 1024 * 1024);

    daemon->pid = fork();
    if (daemon->pid < 0)
        err(1, "fork");
    if (daemon->pid == 0)
        exec_daemon(daemon, path);
    wait_and_connect(daemon);
    return daemon;
}

void daemon_under_test_stop(struct daemon_under_test *daemon)
{
    char command[64];

    close(daemon->fd);
    kill(daemon->pid, SIGTERM);
    waitpid(daemon->pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -r '%s'", daemon->directory);
    if (system(command) != 0)
        warnx("%s is left behind", daemon->directory);
    line_buffer_deinit(&daemon->lines);
    free(daemon);
}

static void send_request(const struct daemon_under_test *daemon, int fd, char *text, size_t length)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { .iov_base = text, .iov_len = length };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                                     .cmsg_level = SOL_SOCKET,
                                                     .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(int));
    }
    if (sendmsg(daemon->fd, &message, MSG_NOSIGNAL) != (ssize_t)length)
        err(1, "sendmsg");
}

static struct json_object *read_message(struct daemon_under_test *daemon)
{
    for (;;) {
        struct line line = line_buffer_next(&daemon->lines);
        struct json_text_fault fault;
        struct json_object *message;
        size_t room;
        char *at;
        ssize_t n;

        if (line.kind == LINE_WHOLE) {
            if (message_parse_answer(line.text, line.length, &message, &fault) < 0)
                errx(1, "vmmd sent something that is not JSON: %s", fault.what);
            return message;
        }
        at = line_buffer_room(&daemon->lines, &room);
        n = at ? read(daemon->fd, at, room) : -1;
        if (n <= 0)
            errx(1, "vmmd closed the connection");
        line_buffer_added(&daemon->lines, (size_t)n);
    }
}

struct json_object *daemon_under_test_call(struct daemon_under_test *daemon, int fd,
                                           const char *format, ...)
{
    struct json_object *message, *result;
    char text[4096];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text) - 1, format, args);
    va_end(args);
    text[n] = '\n';
    send_request(daemon, fd, text, (size_t)n + 1);

    message = read_message(daemon);
    if (!json_object_object_get_ex(message, "result", &result))
        errx(1, "%s: %s", text, json_object_to_json_string(message));
    json_object_get(result);
    json_object_put(message);
    return result;
}

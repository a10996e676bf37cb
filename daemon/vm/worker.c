#include "vm/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/closer.h"
#include "util/escape.h"
#include "util/log.h"
#include "util/work_queue.h"

/* A message that is not dealt with for so long makes a worker a silent one. */
#define SILENT_NS (5 * CLOCK_NS_PER_SEC)

static const struct timeval look_period = { .tv_usec = 500000 };

/* After the link has broken: how long its process has, to be found dead and say why. */
static const struct timeval death_grace = { .tv_sec = 1 };

enum {
    WAITING_MAX = 1024,   /* messages that wait for room */
    MESSAGES_A_TURN = 32, /* that are read before everybody else's turn */
    LOG_LINES_A_SECOND = 20,
};

static const char does_not_end[] = "it hung up, and its process does not come to its end";

/* A message that waits. */
struct outgoing {
    struct list link;
    int fds[LINK_FDS_MAX];
    size_t fd_count;
    size_t size;
    unsigned char bytes[];
};

/* What of a worker is only this file's. */
struct worker_link {
    int fd;      /* -1: broken */
    int bell_fd; /* an eventfd, which is the worker's as well: never to be read or written plainly
                  */
    int call_fd; /* our end of a socket */
    int pid_fd;
    pid_t pid;
    struct event *readable;
    struct event *writable;
    struct event *bell;
    struct event *died;
    struct event *look; /* whether it answers; or, after the link broke, whether it is dead */
    struct list outgoing;
    size_t waiting;
    uint64_t sent;         /* messages that it is to deal with, since the greeting */
    uint64_t heard;        /* of them, those that it had dealt with when looked at last */
    int64_t heard_mono_ns; /* when that last changed, or there was nothing to wait for */
    uint32_t reports_left;
    bool silent;
    bool doomed;    /* its process is to be killed, as soon as it is known */
    bool killed;    /* as its link was broken */
    bool dismissed; /* nobody is to be told of its end */
    struct log_limit log_limit;
    struct link_message message;

    /* while its process is being started */
    struct spawning *spawning;
};

/* A process that is being started, on the work queue's thread; outlives a worker that is freed. */
struct spawning {
    struct work_item item;
    struct worker *worker; /* NULL: nobody waits for it any more */
    const char *binary;
    int fds[3]; /* LINK_FD and so on, in the child */
    pid_t pid;
    int error;
};

extern char **environ;

/* Files. */

static void format_name(uint64_t number, const char *what, char name[static WORKER_NAME_SIZE])
{
    snprintf(name, WORKER_NAME_SIZE, "%" PRIu64 ".%s", number, what);
}

uint64_t worker_number(const char *name)
{
    char canonical[WORKER_NAME_SIZE];
    uint64_t number = strtoull(name, NULL, 10);

    format_name(number, "sock", canonical);
    return strcmp(name, canonical) == 0 ? number : 0;
}

void worker_remove_files(int directory_fd, uint64_t number)
{
    char name[WORKER_NAME_SIZE];

    /* the socket last: it is by that that the next daemon finds what we did not come to remove */
    format_name(number, "note", name);
    unlinkat(directory_fd, name, 0);
    format_name(number, "sock", name);
    unlinkat(directory_fd, name, 0);
}

/* Through the open directory: a path may be longer than an address has room for. */
static void fill_address(int directory_fd, uint64_t number, struct sockaddr_un *address)
{
    char name[WORKER_NAME_SIZE];

    format_name(number, "sock", name);
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", directory_fd,
             name);
}

/* What the worker itself wrote before it died; "": nothing. */
static void read_note(int directory_fd, uint64_t number, char *text, size_t size)
{
    char name[WORKER_NAME_SIZE], note[128];
    _cleanup_close_ int fd = -1;
    ssize_t n;

    text[0] = '\0';
    format_name(number, "note", name);
    fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    n = fd < 0 ? -1 : pread(fd, note, sizeof(note), 0);
    if (n > 0)
        escape_text(note, (size_t)n, text, size);
}

/* Making one. */

static void free_event(struct event **event)
{
    if (*event)
        event_free(*event);
    *event = NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A client's socket may hold what the client sent by it. */
static void free_outgoing(const struct worker *worker, struct outgoing *outgoing)
{
    list_remove(&outgoing->link);
    for (size_t i = 0; i < outgoing->fd_count; i++)
        closer_close(worker->owner->closer, outgoing->fds[i]);
    free(outgoing);
}

void worker_free(struct worker *worker)
{
    struct worker_link *io;

    if (!worker)
        return;
    io = worker->io;
    list_remove(&worker->link);
    if (io) {
        free_event(&io->readable);
        free_event(&io->writable);
        free_event(&io->bell);
        free_event(&io->died);
        free_event(&io->look);
        while (!list_is_empty(&io->outgoing))
            free_outgoing(worker, LIST_ENTRY(io->outgoing.next, struct outgoing, link));
        /* what was sent and not read may hold what a worker should not have sent */
        if (io->fd >= 0)
            closer_close(worker->owner->closer, TAKE_FD(io->fd));
        close_fd(&io->bell_fd);
        close_fd(&io->call_fd);
        close_fd(&io->pid_fd);
        if (io->spawning)
            io->spawning->worker = NULL;
        free(io);
    }
    slot_page_free(worker->page);
    free(worker);
}

static void on_readable(evutil_socket_t fd, short what, void *context);
static void on_writable(evutil_socket_t fd, short what, void *context);
static void on_bell(evutil_socket_t fd, short what, void *context);
static void on_look(evutil_socket_t fd, short what, void *context);

static int new_call(int *ret_ours, int *ret_theirs)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -errno;
    *ret_ours = ends[0];
    *ret_theirs = ends[1];
    return 0;
}

static int make_events(struct worker *worker)
{
    struct event_base *base = worker->owner->base;
    struct worker_link *io = worker->io;

    io->readable = event_new(base, io->fd, EV_READ | EV_PERSIST, on_readable, worker);
    io->writable = event_new(base, io->fd, EV_WRITE | EV_PERSIST, on_writable, worker);
    io->bell = event_new(base, io->bell_fd, EV_READ | EV_PERSIST, on_bell, worker);
    io->look = event_new(base, -1, 0, on_look, worker);
    if (!io->readable || !io->writable || !io->bell || !io->look ||
        event_add(io->readable, NULL) < 0)
        return -ENOMEM;
    return 0;
}

/* All else waits until it has greeted, too. Then it listens: if we are killed, the next daemon can
 * find what it was given to do. */
static int greet(struct worker *worker, int page_fd, int worker_call_fd)
{
    const struct link_daemon_greeting greeting = {
        .head = LINK_HEAD(LINK_GREETING, greeting),
        .version = LINK_VERSION,
        .version_oldest = LINK_VERSION_OLDEST,
        .log_level = (uint32_t)log_get_level(),
    };
    const int fds[] = { page_fd, worker->io->bell_fd, worker_call_fd };
    int r = link_send(worker->io->fd, &greeting, sizeof(greeting), fds, 3);

    return r == -EPIPE ? 0 : r; /* it is gone: reading finds the end */
}

/* A worker with a link, which is taken, and which it was sent its greeting by. */
static int new_worker(const struct worker_owner *owner, uint64_t number, int link_fd,
                      struct worker **ret)
{
    _cleanup_(worker_freep) struct worker *worker = calloc(1, sizeof(*worker));
    _cleanup_close_ int fd = link_fd, page_fd = -1, worker_call_fd = -1;
    struct worker_link *io;
    int r;

    if (!worker)
        return -ENOMEM;
    worker->owner = owner;
    worker->number = number;
    worker->uid = (uint32_t)-1;
    list_init(&worker->link);
    list_init(&worker->deliveries);
    io = worker->io = calloc(1, sizeof(*io));
    if (!io)
        return -ENOMEM;
    io->bell_fd = io->call_fd = io->pid_fd = -1;
    io->fd = TAKE_FD(fd);
    io->log_limit.burst = LOG_LINES_A_SECOND;
    io->heard_mono_ns = clock_monotonic_ns();
    list_init(&io->outgoing);
    io->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = io->bell_fd < 0 ? -errno : 0;
    if (r == 0)
        r = new_call(&io->call_fd, &worker_call_fd);
    if (r == 0)
        r = make_events(worker);
    if (r == 0)
        r = slot_page_new(&worker->page, &page_fd);
    if (r == 0)
        r = greet(worker, page_fd, worker_call_fd);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(worker);
    return 0;
}

/* Its death. */

static void lose(struct worker *worker, const char *why)
{
    const struct worker_owner *owner = worker->owner;

    worker_remove_files(owner->directory_fd, worker->number);
    if (!worker->io->dismissed)
        owner->lost(owner->context, worker, why);
    worker_free(worker);
}

/* How a child of ours ended. */
static void describe_status(const siginfo_t *info, char *text, size_t size)
{
    if (info->si_code == CLD_EXITED)
        snprintf(text, size, "it ended with status %d", info->si_status);
    else
        snprintf(text, size, "it was ended by signal %d (%s)", info->si_status,
                 strsignal(info->si_status));
}

static void add_last_words(int directory_fd, uint64_t number, char *text, size_t size)
{
    char note[160];
    size_t used = strlen(text);

    read_note(directory_fd, number, note, sizeof(note));
    if (note[0])
        snprintf(text + used, size - used, "; its last words: %s", note);
}

void worker_describe_gone(int directory_fd, uint64_t number, char text[static WORKER_DEATH_SIZE])
{
    snprintf(text, WORKER_DEATH_SIZE,
             "what ended it is not known: the kernel's log and the journal may tell");
    add_last_words(directory_fd, number, text, WORKER_DEATH_SIZE);
}

static void describe_death(struct worker *worker, char text[static WORKER_DEATH_SIZE])
{
    int directory_fd = worker->owner->directory_fd;
    siginfo_t info = { 0 };

    if (worker->adopted ||
        waitid(P_PIDFD, (id_t)worker->io->pid_fd, &info, WEXITED | WNOHANG) < 0 ||
        info.si_pid == 0) {
        worker_describe_gone(directory_fd, worker->number, text);
        return;
    }
    describe_status(&info, text, WORKER_DEATH_SIZE);
    add_last_words(directory_fd, worker->number, text, WORKER_DEATH_SIZE);
}

static void on_died(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;
    char why[WORKER_DEATH_SIZE];

    (void)fd, (void)what;
    describe_death(worker, why);
    lose(worker, why);
}

/* The process is known by a descriptor: pids are used again. */
static int watch_process(struct worker *worker, pid_t pid)
{
    struct worker_link *io = worker->io;

    io->pid_fd = pidfd_open(pid, 0);
    if (io->pid_fd < 0)
        return -errno;
    io->pid = pid;
    if (io->doomed)
        worker_kill(worker);
    io->died = event_new(worker->owner->base, io->pid_fd, EV_READ | EV_PERSIST, on_died, worker);
    return io->died && event_add(io->died, NULL) == 0 ? 0 : -ENOMEM;
}

/* Nothing can be said to it any more, and nothing heard. Its process is about to die, or else is
 * ended, and may hang in the kernel all the same: then it is given up. */
static void break_link(struct worker *worker)
{
    struct worker_link *io = worker->io;

    if (io->fd < 0)
        return;
    event_del(io->readable);
    event_del(io->writable);
    closer_close(worker->owner->closer, TAKE_FD(io->fd));
    event_add(io->look, &death_grace);
}

void worker_dismiss(struct worker *worker)
{
    list_remove(&worker->link);
    worker->io->dismissed = true;
    worker_remove_files(worker->owner->directory_fd, worker->number);
    event_del(worker->io->bell);
    break_link(worker);
}

void worker_kill(struct worker *worker)
{
    worker->io->doomed = true;
    if (worker->io->pid_fd >= 0)
        (void)pidfd_send_signal(worker->io->pid_fd, SIGKILL, NULL, 0);
    break_link(worker);
}

static void punish(struct worker *worker, const char *what)
{
    log_error("worker %" PRIu64 " (pid %d, uid %" PRIu32 ") %s, ending it", worker->number,
              (int)worker->io->pid, worker->uid, what);
    worker_kill(worker);
}

void worker_terminate(struct worker *worker)
{
    if (worker->io->pid_fd >= 0)
        (void)pidfd_send_signal(worker->io->pid_fd, SIGTERM, NULL, 0);
}

/* Sending. */

bool worker_has_greeted(const struct worker *worker)
{
    return worker->greeting.head.size > 0;
}

static void want_writable(struct worker *worker)
{
    event_add(worker->io->writable, NULL);
}

static int keep_outgoing(struct worker *worker, const void *message, size_t size, const int *fds,
                         size_t fd_count)
{
    struct worker_link *io = worker->io;
    struct outgoing *outgoing;

    if (io->waiting >= WAITING_MAX)
        return -ENOBUFS;
    outgoing = malloc(sizeof(*outgoing) + size);
    if (!outgoing)
        return -ENOMEM;
    *outgoing = (struct outgoing){ .size = size };
    list_init(&outgoing->link);
    memcpy(outgoing->bytes, message, size);
    for (size_t i = 0; i < fd_count; i++) {
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

        if (copy < 0) {
            free_outgoing(worker, outgoing);
            return -errno;
        }
        outgoing->fds[outgoing->fd_count++] = copy;
    }
    list_append(&io->outgoing, &outgoing->link);
    io->waiting++;
    if (worker_has_greeted(worker))
        want_writable(worker);
    return 0;
}

/* From now on there is something to wait for. */
static void watch_for_answers(struct worker *worker)
{
    struct worker_link *io = worker->io;

    if (io->sent++ == io->heard)
        io->heard_mono_ns = clock_monotonic_ns();
    if (!event_pending(io->look, EV_TIMEOUT, NULL))
        event_add(io->look, &look_period);
}

int worker_send(struct worker *worker, const void *message, size_t size, const int *fds,
                size_t fd_count)
{
    struct worker_link *io = worker->io;
    int r = -EAGAIN;

    if (io->fd < 0)
        return 0; /* it is lost: who asks is told so before long */
    if (worker_has_greeted(worker) && list_is_empty(&io->outgoing))
        r = link_send(io->fd, message, size, fds, fd_count);
    if (r == -EAGAIN)
        r = keep_outgoing(worker, message, size, fds, fd_count);
    if (r == -EPIPE)
        r = 0; /* likewise: reading finds the end */
    if (r == 0)
        watch_for_answers(worker);
    return r;
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;
    struct worker_link *io = worker->io;

    (void)what;
    while (!list_is_empty(&io->outgoing)) {
        struct outgoing *outgoing = LIST_ENTRY(io->outgoing.next, struct outgoing, link);

        int r = link_send(fd, outgoing->bytes, outgoing->size, outgoing->fds, outgoing->fd_count);

        if (r == -EAGAIN)
            return;
        if (r < 0 && r != -EPIPE) { /* out of memory, or of descriptors under way */
            event_del(io->writable);
            return; /* on_look() comes back to it */
        }
        free_outgoing(worker, outgoing);
        io->waiting--;
    }
    event_del(io->writable);
}

void worker_add_news(struct worker *worker, unsigned slot, uint32_t news)
{
    slot_page_add_news(worker->page, slot, news);
    event_active(worker->io->bell, EV_READ, 0);
}

void worker_call(struct worker *worker, unsigned slot)
{
    slot_page_tell_input(worker->page, slot, worker->io->call_fd);
}

bool worker_has_reported(const struct worker *worker)
{
    return worker_has_greeted(worker) && worker->io->reports_left == 0;
}

/* Silence. */

bool worker_is_silent(const struct worker *worker)
{
    return worker->io->silent;
}

bool worker_is_done(const struct worker *worker)
{
    return atomic_load(&worker->page->heard) == worker->io->sent;
}

bool worker_is_owed(const struct worker *worker)
{
    return !list_is_empty(&worker->io->outgoing);
}

bool worker_is_leaving(const struct worker *worker)
{
    return worker->io->doomed || worker->io->fd < 0;
}

pid_t worker_pid(const struct worker *worker)
{
    return worker->io->pid;
}

static void set_silent(struct worker *worker, bool silent)
{
    struct worker_link *io = worker->io;

    if (io->silent == silent)
        return;
    io->silent = silent;
    log_warning("worker %" PRIu64 " (pid %d, uid %" PRIu32 ") %s", worker->number, (int)io->pid,
                worker->uid, silent ? "does not answer" : "answers again");
    worker->owner->silent(worker->owner->context, worker);
}

/* It is kept until its process is gone: so it is known how many of them there are, and they are
 * waited for (waitid(2)). */
static void give_up(struct worker *worker)
{
    const struct worker_owner *owner = worker->owner;

    worker_remove_files(owner->directory_fd, worker->number);
    event_del(worker->io->bell);
    if (!worker->io->dismissed)
        owner->lost(owner->context, worker, does_not_end);
    worker->io->dismissed = true;
    owner->hangs(owner->context, worker);
}

/* Its link broke, and its process has had time to end by itself; then to be ended. */
static void end_grace(struct worker *worker)
{
    struct worker_link *io = worker->io;

    if (io->pid_fd < 0) {
        lose(worker, does_not_end);
        return;
    }
    if (io->killed) {
        give_up(worker);
        return;
    }
    io->killed = true;
    worker_kill(worker);
    event_add(io->look, &death_grace);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;
    struct worker_link *io = worker->io;
    int64_t now_ns = clock_monotonic_ns();
    uint64_t heard;

    (void)fd, (void)what;
    if (io->fd < 0) {
        end_grace(worker);
        return;
    }
    if (worker_has_greeted(worker) && worker_is_owed(worker))
        want_writable(worker);
    heard = atomic_load(&worker->page->heard);
    if (heard != io->heard || heard == io->sent)
        io->heard_mono_ns = now_ns;
    io->heard = heard;
    set_silent(worker, now_ns - io->heard_mono_ns >= SILENT_NS);
    if (heard != io->sent)
        event_add(io->look, &look_period);
}

/* Receiving. */

/* Ends a text of the worker's, and leaves nothing in it that a log or JSON could not show. */
static void end_text(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static void take_news(struct worker *worker)
{
    uint64_t slots = slot_page_take_news(worker->page);

    for (unsigned slot = 0; slots; slot++, slots >>= 1)
        if (slots & 1)
            worker->owner->news(worker->owner->context, worker, slot,
                                atomic_exchange(&worker->page->slots[slot].news, 0));
}

/*
 * From now on its bell is heard, not before: news is of what came after the reports, and a VM that
 * has ended meanwhile is not to be reported as running when we have let go of it. What there is
 * already is taken at once, before a slot could be anybody else's.
 */
static void end_reports(struct worker *worker)
{
    worker->owner->reported(worker->owner->context, worker);
    if (event_add(worker->io->bell, NULL) < 0) {
        punish(worker, "cannot be heard for want of memory");
        return;
    }
    take_news(worker);
}

static void on_greeting(struct worker *worker)
{
    const struct worker_owner *owner = worker->owner;
    struct link_worker_greeting *greeting = &worker->greeting;

    if (worker_has_greeted(worker)) {
        punish(worker, "greets twice");
        return;
    }
    link_message_read(&worker->io->message, greeting, sizeof(*greeting));
    end_text(greeting->software, sizeof(greeting->software));
    end_text(greeting->architecture, sizeof(greeting->architecture));
    end_text(greeting->error, sizeof(greeting->error));
    if (greeting->capability_count > LINK_KVM_ROWS_MAX)
        greeting->capability_count = LINK_KVM_ROWS_MAX;
    for (size_t i = 0; i < greeting->capability_count; i++)
        end_text(greeting->capabilities[i].name, LINK_KVM_NAME_SIZE);
    worker->io->reports_left = greeting->vm_count;
    if (worker_is_owed(worker))
        want_writable(worker);
    owner->greeted(owner->context, worker);
    if (worker->io->reports_left == 0)
        end_reports(worker);
}

static void on_report(struct worker *worker)
{
    const struct worker_owner *owner = worker->owner;
    struct link_report report;

    link_message_read(&worker->io->message, &report, sizeof(report));
    if (worker->io->reports_left == 0 || report.vm.slot >= SLOTS_MAX ||
        report.phase > LINK_PHASE_ENDED) {
        punish(worker, "reports what makes no sense");
        return;
    }
    owner->report(owner->context, worker, &report);
    if (--worker->io->reports_left == 0)
        end_reports(worker);
}

static void on_refused(struct worker *worker)
{
    struct link_refused refused;

    link_message_read(&worker->io->message, &refused, sizeof(refused));
    end_text(refused.text, sizeof(refused.text));
    if (refused.vm.slot < SLOTS_MAX)
        worker->owner->refused(worker->owner->context, worker, &refused);
}

static void on_stranded(struct worker *worker)
{
    struct link_vm stranded;

    link_message_read(&worker->io->message, &stranded, sizeof(stranded));
    if (stranded.slot < SLOTS_MAX)
        worker->owner->stranded(worker->owner->context, worker, stranded.slot);
}

static void on_received(struct worker *worker)
{
    struct link_received received;

    link_message_read(&worker->io->message, &received, sizeof(received));
    worker->owner->received(worker->owner->context, worker, &received);
}

/* A worker is not to wake up everybody: LOG_EMERG and LOG_ALERT are more than any of ours. */
static enum log_level sane_level(uint32_t level)
{
    if (level < LOG_LEVEL_ERROR)
        return LOG_LEVEL_ERROR;
    return level > LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : (enum log_level)level;
}

/* A line of its log becomes one of ours; its bytes may be anybody's. */
static void on_log(struct worker *worker)
{
    const struct worker_owner *owner = worker->owner;
    char text[LOG_LINE_SIZE];
    struct link_log line;
    const char *name;

    link_message_read(&worker->io->message, &line, sizeof(line));
    end_text(line.text, sizeof(line.text));
    if (!log_limit_allows(&worker->io->log_limit))
        return;
    name = line.vm_id > 0 ? owner->vm_name(owner->context, worker, line.vm_id) : NULL;
    escape_text(line.text, strlen(line.text), text, sizeof(text));
    log_entry(&(struct log_entry){
        .level = sane_level(line.level),
        .message = text,
        .vm_id = name ? line.vm_id : 0,
        .vm_name = name,
    });
}

/* One that we do not know is a later worker's, and passed over. */
static void handle(struct worker *worker)
{
    static void (*const handlers[])(struct worker * worker) = {
        [LINK_GREETING] = on_greeting, [LINK_REPORT] = on_report, [LINK_REFUSED] = on_refused,
        [LINK_STRANDED] = on_stranded, [LINK_LOG] = on_log,       [LINK_RECEIVED] = on_received,
    };
    uint32_t type = worker->io->message.head.type;

    if (type < sizeof(handlers) / sizeof(handlers[0]) && handlers[type])
        handlers[type](worker);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;
    struct worker_link *io = worker->io;

    (void)fd, (void)what;
    for (int i = 0; i < MESSAGES_A_TURN && io->fd >= 0; i++) {
        int r = link_receive_plain(io->fd, &io->message);

        if (r == -EAGAIN)
            return;
        if (r == 0)
            handle(worker);
        else if (r == -EPIPE)
            break_link(worker);
        else
            punish(worker, "sends what is no message");
    }
}

static void drain_bell(int fd)
{
    uint64_t count;
    struct iovec room = { .iov_base = &count, .iov_len = sizeof(count) };

    if (preadv2(fd, &room, 1, -1, RWF_NOWAIT) < 0)
        return; /* EAGAIN: another turn took it, or the worker; or we told ourselves */
}

static void on_bell(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;

    (void)what;
    drain_bell(fd);
    if (worker_has_reported(worker))
        take_news(worker);
}

/* Starting the process. */

/* The child is to hold nothing of ours but what it is given: all else is closed by exec. Its
 * session is its own: what a terminal sends to ours is not for it. */
static int spawn_process(const struct spawning *spawning, pid_t *ret)
{
    char *const argv[] = { "vmmd-worker", NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, spawning->fds[i], LINK_FD + i);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    r = posix_spawn(ret, spawning->binary, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* The work queue's thread. */
static void do_spawn(void *context)
{
    struct spawning *spawning = context;

    spawning->error = spawn_process(spawning, &spawning->pid);
    for (int i = 0; i < 3; i++)
        close(spawning->fds[i]);
}

/* Loop thread. */
static void on_spawned(void *context)
{
    struct spawning *spawning = context;
    struct worker *worker = spawning->worker;
    char why[160];

    if (worker) {
        worker->io->spawning = NULL;
        if (spawning->error == 0)
            spawning->error = watch_process(worker, spawning->pid);
        if (spawning->error < 0) {
            snprintf(why, sizeof(why), "cannot start '%s': %s", spawning->binary,
                     strerror(-spawning->error));
            lose(worker, why);
        }
    }
    free(spawning);
}

/* Descriptors that the child is to have lie above those numbers, or dup2(2) would overwrite one
 * with another, or leave FD_CLOEXEC set on one that is in its place already. */
static int raise_fd(int *fd)
{
    int raised = fcntl(*fd, F_DUPFD_CLOEXEC, LINK_NOTE_FD + 1);

    if (raised < 0)
        return -errno;
    close(*fd);
    *fd = raised;
    return 0;
}

static int open_child_files(const struct worker_owner *owner, uint64_t number, int fds[static 3])
{
    struct sockaddr_un address;
    char name[WORKER_NAME_SIZE];
    int r = 0;

    worker_remove_files(owner->directory_fd, number);
    fill_address(owner->directory_fd, number, &address);
    fds[1] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* the mode of the socket's file is that of the socket, less the umask: net/unix/af_unix.c */
    if (fds[1] < 0 || fchmod(fds[1], 0600) < 0 ||
        bind(fds[1], (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    format_name(number, "note", name);
    fds[2] =
        openat(owner->directory_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fds[2] < 0)
        return -errno;
    for (int i = 0; r == 0 && i < 3; i++)
        r = raise_fd(&fds[i]);
    return r;
}

static void close_fds(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close_fd(&fds[i]);
}

static int begin_spawn(const struct worker_owner *owner, uint64_t number, struct worker **ret)
{
    struct spawning *spawning = calloc(1, sizeof(*spawning));
    int ends[2] = { -1, -1 }, r;

    if (!spawning)
        return -ENOMEM;
    spawning->fds[1] = spawning->fds[2] = -1;
    r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
    spawning->fds[0] = ends[1];
    if (r == 0)
        r = open_child_files(owner, number, spawning->fds);
    if (r == 0)
        r = new_worker(owner, number, TAKE_FD(ends[0]), ret);
    if (r < 0) {
        close_fd(&ends[0]);
        close_fds(spawning->fds, 3);
        free(spawning);
        return r;
    }
    spawning->worker = *ret;
    spawning->binary = owner->binary;
    spawning->item = (struct work_item){ .fn = do_spawn, .done = on_spawned, .argument = spawning };
    (*ret)->io->spawning = spawning;
    work_queue_submit(owner->work_queue, &spawning->item);
    return 0;
}

int worker_spawn(const struct worker_owner *owner, uint64_t number, struct worker **ret,
                 struct error *err)
{
    int r = begin_spawn(owner, number, ret);

    if (r < 0) {
        worker_remove_files(owner->directory_fd, number);
        return error_set(err, r == -ENOMEM ? r : -EAGAIN, "cannot start a worker: %s",
                         strerror(-r));
    }
    return 0;
}

/* A pid is only worth something while the connection lives: whoever has it cannot have changed. */
static int identify(struct worker *worker)
{
    struct pollfd pollfd = { .fd = worker->io->fd, .events = POLLIN };
    struct ucred peer;
    socklen_t size = sizeof(peer);
    int r;

    if (getsockopt(worker->io->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    if (peer.uid != geteuid())
        return -EPERM;
    r = watch_process(worker, peer.pid);
    if (r < 0)
        return r;
    return poll(&pollfd, 1, 0) == 1 && pollfd.revents & (POLLHUP | POLLERR) ? -ECONNREFUSED : 0;
}

int worker_connect(const struct worker_owner *owner, uint64_t number, struct worker **ret,
                   struct error *err)
{
    _cleanup_(worker_freep) struct worker *worker = NULL;
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

    fill_address(owner->directory_fd, number, &address);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        r = -errno;
        close_fd(&fd);
        return error_set(err, r, "%s", strerror(-r));
    }
    r = new_worker(owner, number, fd, &worker);
    if (r == 0) {
        worker->adopted = true;
        r = identify(worker);
    }
    if (r < 0)
        return error_set(err, r, "%s", strerror(-r));
    *ret = TAKE_PTR(worker);
    return 0;
}

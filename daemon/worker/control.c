#include "worker/control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "kvm/arch.h"
#include "shared/link.h"
#include "shared/slot_page.h"
#include "util/bus_error.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/guest.h"
#include "worker/receiver.h"
#include "worker/standby.h"

/* How often guests are looked at for what makes no exit: output is seen within 50 ms. */
#define TICK_NS (20 * CLOCK_NS_PER_MS)

/* Of what a socket has room for by default, 208 KiB (net.core.wmem_default). */
enum { LINES_QUEUED_MAX = 64 * 1024 };

struct control {
    struct control_setup setup;
    pthread_mutex_t link_lock; /* for the log, which any thread may send, and for on_guest_gone() */
    int link_fd;               /* [link_lock] -1: there is no daemon; the control thread's to set */
    int signal_fd;
    int call_fd; /* the daemon's bell for this worker: a socket */
    struct guest_home home;
    struct guest *guests[SLOTS_MAX];
    unsigned guest_count;
    struct standby *standby;
    struct receiver *receiver; /* NULL: it does not receive */
    bool ending;               /* it was told to end with its guests */
    struct link_message message;
};

/* The log. */

/* Under link_lock. Lines never take the room that answers need, which are few: of each guest one,
 * and of each message that a daemon sent one. A line for which there is none goes elsewhere. */
static int send_line(const struct control *control, const struct link_log *line)
{
    int queued; /* bytes, as socket(7) counts them against SO_SNDBUF */

    if (control->link_fd < 0)
        return -EPIPE;
    if (ioctl(control->link_fd, SIOCOUTQ, &queued) < 0 || queued > LINES_QUEUED_MAX)
        return -EAGAIN;
    return link_send(control->link_fd, line, sizeof(*line), NULL, 0);
}

static void log_to_daemon(void *context, const struct log_entry *entry)
{
    struct control *control = context;
    struct link_log message = {
        .head = LINK_HEAD(LINK_LOG, message),
        .level = (uint32_t)entry->level,
        .vm_id = entry->vm_id,
    };
    int r;

    snprintf(message.text, sizeof(message.text), "%s", entry->message);
    pthread_mutex_lock(&control->link_lock);
    r = send_line(control, &message);
    pthread_mutex_unlock(&control->link_lock);
    if (r < 0)
        log_to_stderr(NULL, entry);
}

static void set_link(struct control *control, int fd)
{
    pthread_mutex_lock(&control->link_lock);
    if (control->link_fd >= 0)
        close(control->link_fd);
    control->link_fd = fd;
    pthread_mutex_unlock(&control->link_lock);
}

/* Sending. A daemon that does not read is waited for: it is the one that this thread works for, and
 * it waits for what this is about. */
static void send_message(struct control *control, const void *message, size_t size)
{
    struct pollfd pollfd = { .fd = control->link_fd, .events = POLLOUT };

    while (link_send(control->link_fd, message, size, NULL, 0) == -EAGAIN)
        poll(&pollfd, 1, -1);
}

/*
 * For a guest's thread. Another daemon's page cannot come in between: either it is gone before, and
 * is not reported, or it is reported, and then gone. To a daemon that is not there nothing is told:
 * it finds an empty file, or the ending in it.
 */
static void on_guest_gone(void *context, struct guest *guest, const struct link_refused *refused)
{
    struct control *control = context;
    unsigned slot = guest->slot;

    pthread_mutex_lock(&control->link_lock);
    atomic_store(&guest->gone, true);
    if (!refused)
        slot_page_tell(control->home.page, slot, SLOT_GONE, control->home.bell_fd);
    else if (control->link_fd >= 0)
        (void)link_send(control->link_fd, refused, sizeof(*refused), NULL, 0);
    pthread_mutex_unlock(&control->link_lock);
}

/* Greeting. */

static void fill_capabilities(const struct kvm_host *host, struct link_worker_greeting *greeting)
{
    greeting->api_version = (uint32_t)host->api_version;
    for (size_t i = 0; i < host->capability_count && i < LINK_KVM_ROWS_MAX; i++) {
        snprintf(greeting->capabilities[i].name, sizeof(greeting->capabilities[i].name), "%s",
                 host->capabilities[i].capability->name);
        greeting->capabilities[i].value = (uint32_t)host->capabilities[i].value;
        greeting->capability_count++;
    }
}

static void send_greeting(struct control *control)
{
    struct link_worker_greeting greeting = {
        .head = LINK_HEAD(LINK_GREETING, greeting),
        .version = LINK_VERSION,
        .version_oldest = LINK_VERSION_OLDEST,
        .vm_count = control->guest_count,
        .software = VMMD_VERSION,
    };

    snprintf(greeting.architecture, sizeof(greeting.architecture), "%s", arch_name);
    if (control->setup.host) {
        fill_capabilities(control->setup.host, &greeting);
    } else {
        greeting.kvm_error = (uint32_t)-control->setup.kvm_error.code;
        snprintf(greeting.error, sizeof(greeting.error), "%s", control->setup.kvm_error.text);
    }
    send_message(control, &greeting, sizeof(greeting));
}

static struct link_vm vm_head(enum link_type type, size_t size, const struct guest *guest)
{
    return (struct link_vm){
        .head = { .type = type, .size = (uint32_t)size },
        .id = guest->id,
        .slot = guest->slot,
    };
}

static void send_report(struct control *control, struct guest *guest)
{
    const struct link_report report = {
        .vm = vm_head(LINK_REPORT, sizeof(report), guest),
        .phase = guest_phase(guest),
        .has_input = guest_has_input_queue(guest),
    };

    send_message(control, &report, sizeof(report));
}

static void send_stranded(struct control *control, const struct guest *guest)
{
    const struct link_vm stranded = vm_head(LINK_STRANDED, sizeof(stranded), guest);

    send_message(control, &stranded, sizeof(stranded));
}

/* A file of a guest's was cut short: the page that was missing reads as zeros now, and what is
 * written there is lost. The guest ends. */
static void end_guest_mapped_at(struct control *control, uintptr_t address)
{
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
        struct guest *guest = control->guests[slot];
        struct request request = { .kind = REQUEST_END,
                                   .end.reason = GUEST_END_ERROR,
                                   .end.sentence = "somebody cut its state file short" };

        if (guest && !atomic_load(&guest->gone) && guest_has_file_at(guest, address))
            guest_ask(guest, &request);
    }
}

static void look_at_cut_files(struct control *control)
{
    uintptr_t address;

    while (bus_error_take(&address))
        end_guest_mapped_at(control, address);
}

static void forget_if_gone(struct control *control, unsigned slot)
{
    struct guest *guest = control->guests[slot];

    if (!guest || !atomic_load(&guest->gone))
        return;
    look_at_cut_files(control); /* before its addresses are another guest's */
    control->guests[slot] = NULL;
    control->guest_count--;
    guest_free(guest);
}

/*
 * Another daemon's page and bells take the place of those before. The bells first: a thread that
 * found the new page, and rang the old bell, would have left a bit there that keeps everybody from
 * ringing again. What is told by the old page is not lost: a thread sets its guest's phase first,
 * and the reports are made after the exchange. Guests that are gone by then are in none of them.
 */
static bool exchange_page(struct control *control, const int fds[static 3])
{
    uint64_t gone = 0;
    bool exchanged;

    pthread_mutex_lock(&control->link_lock);
    exchanged = fds[1] >= 0 && fds[2] >= 0 && dup3(fds[1], control->home.bell_fd, O_CLOEXEC) >= 0 &&
                dup3(fds[2], control->call_fd, O_CLOEXEC) >= 0 &&
                slot_page_map(&control->home.page, fds[0]) == 0;
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        if (control->guests[slot] && atomic_load(&control->guests[slot]->gone))
            gone |= UINT64_C(1) << slot;
    pthread_mutex_unlock(&control->link_lock);
    for (unsigned slot = 0; gone; slot++, gone >>= 1)
        if (gone & 1)
            forget_if_gone(control, slot);
    return exchanged;
}

/* A daemon is there, the first or another one. */
static void on_greeting(struct control *control, struct link_message *message)
{
    struct link_daemon_greeting greeting;

    link_message_read(message, &greeting, sizeof(greeting));
    if (message->fd_count < 3 || !exchange_page(control, message->fds)) {
        log_warning("the daemon's greeting makes no sense, hanging up");
        set_link(control, -1);
        return;
    }
    log_set_level((enum log_level)greeting.log_level);
    send_greeting(control);
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        if (control->guests[slot])
            send_report(control, control->guests[slot]);
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++) /* an earlier daemon was told */
        if (control->guests[slot] && guest_is_disowned(control->guests[slot]))
            send_stranded(control, control->guests[slot]);
}

/* Guests. */

static void refuse(struct control *control, const struct link_vm *vm, int code, const char *text)
{
    struct link_refused refused = {
        .vm = { .head = LINK_HEAD(LINK_REFUSED, refused), .id = vm->id, .slot = vm->slot },
        .code = code,
    };

    snprintf(refused.text, sizeof(refused.text), "%s", text);
    send_message(control, &refused, sizeof(refused));
}

static int start(struct control *control, struct link_message *message, const struct link_vm *vm,
                 struct error *err)
{
    struct guest *guest;
    int r;

    if (!control->setup.host)
        return error_set(err, -ENODEV, "%s", control->setup.kvm_error.text);
    if (vm->slot >= SLOTS_MAX || control->guests[vm->slot])
        return error_set(err, -EBADMSG, "slot %" PRIu32 " is taken, or none", vm->slot);
    r = guest_new(&control->home, message, &guest);
    if (r < 0)
        return error_set(err, r, "%s", r == -ENOMEM ? "out of memory" : "it makes no sense");
    r = standby_run(control->standby, guest, err);
    if (r < 0) {
        guest_free(guest);
        return r;
    }
    control->guests[vm->slot] = guest;
    control->guest_count++;
    return 0;
}

static void on_start(struct control *control, struct link_message *message)
{
    struct link_vm vm;
    struct error err;

    link_message_read(message, &vm, sizeof(vm));
    if (vm.slot < SLOTS_MAX)
        forget_if_gone(control, vm.slot);
    if (start(control, message, &vm, &err) < 0)
        refuse(control, &vm, err.code, err.text);
}

/* The guest that a message is about; NULL: it is gone, or has never been. */
static struct guest *guest_of(struct control *control, const struct link_message *message)
{
    struct link_vm vm;
    struct guest *guest;

    link_message_read(message, &vm, sizeof(vm));
    guest = vm.slot < SLOTS_MAX ? control->guests[vm.slot] : NULL;
    return guest && guest->id == vm.id && !atomic_load(&guest->gone) ? guest : NULL;
}

static void on_end(struct control *control, struct link_message *message)
{
    struct guest *guest = guest_of(control, message);
    struct request request = { .kind = REQUEST_END };
    struct link_end end;

    link_message_read(message, &end, sizeof(end));
    request.end.reason = end.reason == GUEST_END_KILLED ? GUEST_END_KILLED : GUEST_END_STOPPED;
    request.end.by = end.by;
    snprintf(request.end.sentence, sizeof(request.end.sentence), "%.*s",
             (int)sizeof(end.sentence) - 1, end.sentence);
    if (guest)
        guest_ask(guest, &request);
}

static void ask(struct control *control, const struct link_message *message, enum request_kind kind)
{
    struct guest *guest = guest_of(control, message);

    if (guest)
        guest_ask(guest, &(struct request){ .kind = kind });
}

static void on_pause(struct control *control, struct link_message *message)
{
    ask(control, message, REQUEST_PAUSE);
}

static void on_resume(struct control *control, struct link_message *message)
{
    ask(control, message, REQUEST_RESUME);
}

static void on_input(struct control *control, struct link_message *message)
{
    struct guest *guest = guest_of(control, message);
    _cleanup_close_ int fd = link_message_take_fd(message, 0);
    struct input_queue *queue;

    if (!guest)
        return;
    if (input_queue_map(fd, &queue) < 0) {
        log_vm_line(LOG_LEVEL_WARNING, guest->id, guest->name,
                    "cannot map its input queue, going on without");
        return;
    }
    guest_take_input_queue(guest, queue);
    guest_ask(guest, &(struct request){ .kind = REQUEST_INPUT });
}

static void on_times(struct control *control, struct link_message *message)
{
    struct guest *guest = guest_of(control, message);

    if (guest)
        guest_tell_times(guest);
}

static void on_log_level(struct control *control, struct link_message *message)
{
    struct link_log_level level;

    (void)control;
    link_message_read(message, &level, sizeof(level));
    log_set_level((enum log_level)level.level);
}

/* Receiving. */

static struct receiver *get_receiver(struct control *control)
{
    if (!control->receiver)
        control->receiver = receiver_new();
    return control->receiver;
}

static void on_receive(struct control *control, struct link_message *message)
{
    struct receiver *receiver = get_receiver(control);
    struct link_received received;

    if (!receiver)
        return; /* out of memory: silent, it is replaced */
    receiver_take(receiver, message, &received);
    send_message(control, &received, sizeof(received));
}

static void on_supply(struct control *control, struct link_message *message)
{
    struct receiver *receiver = get_receiver(control);

    if (receiver)
        receiver_supply(receiver, message);
}

static void on_forget(struct control *control, struct link_message *message)
{
    if (control->receiver)
        receiver_forget(control->receiver, message);
}

/* The link. */

typedef void (*message_fn)(struct control *control, struct link_message *message);

static const message_fn handlers[] = {
    [LINK_GREETING] = on_greeting, [LINK_START] = on_start,         [LINK_END] = on_end,
    [LINK_PAUSE] = on_pause,       [LINK_RESUME] = on_resume,       [LINK_INPUT] = on_input,
    [LINK_TIMES] = on_times,       [LINK_LOG_LEVEL] = on_log_level, [LINK_RECEIVE] = on_receive,
    [LINK_SUPPLY] = on_supply,     [LINK_FORGET] = on_forget,
};

enum { HANDLER_COUNT = sizeof(handlers) / sizeof(handlers[0]) };

/* One that this version does not know is passed over. */
static void handle(struct control *control, struct link_message *message)
{
    message_fn handler = message->head.type < HANDLER_COUNT ? handlers[message->head.type] : NULL;

    if (handler)
        handler(control, message);
    link_message_release(message);
    if (message->head.type != LINK_GREETING) /* which brings a page of its own */
        atomic_fetch_add(&control->home.page->heard, 1);
}

static void on_link(struct control *control)
{
    int r = 0;

    while (control->link_fd >= 0 && (r = link_receive(control->link_fd, &control->message)) == 0)
        handle(control, &control->message);
    if (control->link_fd >= 0 && r != -EAGAIN)
        set_link(control, -1); /* the daemon is gone; the guests go on */
}

/* Another daemon. Only who may enter the directory of the socket, and holds its lock, gets here. */
static void on_connection(struct control *control)
{
    struct ucred peer = { .uid = (uid_t)-1 };
    socklen_t size = sizeof(peer);
    int fd = accept4(control->setup.listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid()) {
        close(fd);
        return;
    }
    set_link(control, fd);
    on_link(control);
}

/* What goes on without a daemon. */

static void on_call(struct control *control)
{
    uint64_t slots = slot_page_take_input(control->home.page);

    for (unsigned slot = 0; slots; slot++, slots >>= 1) {
        struct guest *guest = slots & 1 ? control->guests[slot] : NULL;

        if (slots & 1)
            atomic_store(&control->home.page->slots[slot].input, 0);
        if (guest && !atomic_load(&guest->gone))
            guest_ask(guest, &(struct request){ .kind = REQUEST_INPUT });
    }
}

static void look_at_guests(struct control *control, int64_t *next_ns)
{
    int64_t now_ns = clock_monotonic_ns();

    look_at_cut_files(control);
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
        struct guest *guest = control->guests[slot];

        if (!guest)
            continue;
        if (guest_disown_if_due(guest, now_ns)) {
            log_vm_line(LOG_LEVEL_WARNING, guest->id, guest->name,
                        "its thread hangs in a file that it was to load, giving it up");
            /* in this order: whoever waits for its end may start the next one at once, and that is
             * not to be placed here */
            send_stranded(control, guest);
            guest_tell(guest, SLOT_ENDED);
        }
        guest_tick(guest, now_ns, next_ns);
        forget_if_gone(control, slot);
    }
}

/* SIGTERM: the host goes down, or the service ends without a daemon. */
static void on_signal(struct control *control)
{
    struct request request = { .kind = REQUEST_END,
                               .end.reason = GUEST_END_STOPPED,
                               .end.sentence = "its worker was told to end (SIGTERM)" };
    struct signalfd_siginfo info;

    if (read(control->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    control->ending = true;
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        if (control->guests[slot])
            guest_ask(control->guests[slot], &request);
}

static void drain_bell(int fd)
{
    uint64_t count;

    if (read(fd, &count, sizeof(count)) < 0)
        return; /* EAGAIN: another turn took it */
}

static bool is_done(const struct control *control)
{
    return control->guest_count == 0 && (control->link_fd < 0 || control->ending);
}

static int wait_ms(const struct control *control, int64_t next_ns)
{
    int64_t left_ns = next_ns - clock_monotonic_ns();

    if (control->guest_count == 0)
        return -1;
    /* never early: a timeout that was looked at too soon would be looked at again at once */
    return left_ns <= 0 ? 0 : (int)((left_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
}

void control_run(struct control *control)
{
    int64_t tick_ns = 0;

    while (!is_done(control)) {
        struct pollfd fds[] = {
            { .fd = control->link_fd, .events = POLLIN },
            /* the other end of it is gone with the daemon: there is nothing to hear then */
            { .fd = control->link_fd < 0 ? -1 : control->call_fd, .events = POLLIN },
            { .fd = control->home.wake_fd, .events = POLLIN },
            { .fd = control->signal_fd, .events = POLLIN },
            { .fd = control->setup.listen_fd, .events = POLLIN },
        };
        int64_t next_ns = clock_monotonic_ns() + TICK_NS;

        if (tick_ns > 0 && tick_ns < next_ns)
            next_ns = tick_ns;
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms(control, next_ns)) < 0)
            continue;
        if (fds[0].revents)
            on_link(control);
        if (fds[1].revents) {
            drain_bell(control->call_fd);
            on_call(control);
        }
        if (fds[2].revents)
            drain_bell(control->home.wake_fd);
        if (fds[3].revents)
            on_signal(control);
        if (fds[4].revents)
            on_connection(control);
        if (fds[2].revents || clock_monotonic_ns() >= next_ns) {
            tick_ns = clock_monotonic_ns() + TICK_NS;
            look_at_guests(control, &tick_ns);
            standby_replenish(control->standby);
        }
    }
}

/* Making it. */

static int new_bell(int *ret)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return -errno;
    *ret = fd;
    return 0;
}

static int open_signals(struct control *control)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    control->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    return control->signal_fd < 0 ? -errno : 0;
}

/* Until a daemon's page takes its place. */
static int make_first_page(struct control *control)
{
    int fd, r = slot_page_new(&control->home.page, &fd);

    if (r == 0)
        close(fd);
    return r;
}

int control_new(const struct control_setup *setup, struct control **ret)
{
    _cleanup_free_ struct control *control = calloc(1, sizeof(*control));
    int r;

    if (!control)
        return -ENOMEM;
    control->setup = *setup;
    control->home.host = setup->host;
    control->home.gone = on_guest_gone;
    control->home.context = control;
    control->link_fd = -1;
    pthread_mutex_init(&control->link_lock, NULL);
    r = new_bell(&control->home.bell_fd);
    if (r == 0)
        r = new_bell(&control->home.wake_fd);
    if (r == 0)
        r = new_bell(&control->call_fd);
    if (r == 0)
        r = open_signals(control);
    if (r == 0)
        r = make_first_page(control);
    if (r == 0)
        r = standby_new(&control->standby);
    if (r == 0 && listen(setup->listen_fd, SOMAXCONN) < 0)
        r = -errno;
    if (r < 0)
        return r; /* the process ends: nothing is taken back one by one */
    log_set_sink(log_to_daemon, control);
    set_link(control, setup->link_fd);
    *ret = TAKE_PTR(control);
    return 0;
}

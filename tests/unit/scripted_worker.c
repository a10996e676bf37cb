/*
 * Scripted worker: a program that speaks the link (shared/link.h) as a worker does, or as one would
 * that had been taken over by its guest. There is no KVM in it.
 *
 * What it does is told by scripts, words in a line. SCRIPTED_WORKER in its environment has what it
 * does when a daemon greets it, "greet report" if it is not there. A VM's command line has what it
 * does when it is to start that VM. "-" among its words: what follows is done when a later daemon
 * greets, in place of SCRIPTED_WORKER.
 *
 * Left to itself it does what is right: it ends a VM that is to end, pauses and resumes it, counts
 * the messages that it has heard; it ends when there is neither a VM nor a daemon. However a test
 * goes, it is gone a while after the test's last daemon.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/link.h"
#include "shared/slot_page.h"
#include "shared/vm_file.h"
#include "util/clock.h"

enum {
    LIFE_S = 120,
    ORPHAN_MS = 5000, /* for which it waits for another daemon */
    SCRIPT_SIZE = 512,
    FLOOD = 3000,
};

struct guest {
    bool there;
    uint64_t id;
    uint32_t slot;
    enum link_phase phase;
    struct vm_file *file; /* NULL: not filled */
    int file_fd;
    struct vm_record record;
    uint64_t ring_capacity;
    char later[SCRIPT_SIZE]; /* what a later daemon's greeting begins; "": what is usual */
    bool deaf;               /* it does not end when it is to */
};

struct worker {
    int link_fd; /* -1: no daemon */
    int bell_fd;
    int call_fd;
    struct slot_page *page; /* NULL: not greeted yet */
    bool greeted;
    struct guest guests[SLOTS_MAX];
};

/* A script in progress: what it is about, and the word's own argument. */
struct step {
    struct worker *worker;
    struct guest *guest; /* NULL: it is about none */
    const char *argument;
};

/* Whatever fails here fails the test, which waits for what does not come. */
static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "scripted_worker: %s: %s\n", what, strerror(errno));
    _exit(3);
}

static void send_message(struct worker *worker, const void *message, size_t size)
{
    struct pollfd pollfd = { .fd = worker->link_fd, .events = POLLOUT };

    while (link_send(worker->link_fd, message, size, NULL, 0) == -EAGAIN)
        poll(&pollfd, 1, -1);
}

static void tell(struct guest *guest, struct worker *worker, uint32_t news)
{
    slot_page_tell(worker->page, guest->slot, news, worker->bell_fd);
}

static struct link_vm vm_head(enum link_type type, size_t size, const struct guest *guest)
{
    return (struct link_vm){
        .head = { .type = type, .size = (uint32_t)size },
        .id = guest->id,
        .slot = guest->slot,
    };
}

/* Greeting. */

static void send_greeting(struct worker *worker, uint32_t version, uint32_t vm_count)
{
    const struct link_worker_greeting greeting = {
        .head = LINK_HEAD(LINK_GREETING, greeting),
        .version = version,
        .version_oldest = version,
        .vm_count = vm_count,
        .api_version = 12,
        .software = "scripted",
        .architecture = "none",
    };

    send_message(worker, &greeting, sizeof(greeting));
}

static uint32_t count_guests(const struct worker *worker)
{
    uint32_t count = 0;

    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        count += worker->guests[slot].there;
    return count;
}

static void do_greet(struct step *step)
{
    send_greeting(step->worker, LINK_VERSION, count_guests(step->worker));
}

/* The argument is the version. */
static void do_greet_version(struct step *step)
{
    send_greeting(step->worker, (uint32_t)atoi(step->argument), count_guests(step->worker));
}

/* The argument is how many VMs it says that it has. */
static void do_greet_count(struct step *step)
{
    send_greeting(step->worker, LINK_VERSION, (uint32_t)atoi(step->argument));
}

/* What is in each text has no end; there are more capabilities than there is room for. */
static void do_greet_nonsense(struct step *step)
{
    struct link_worker_greeting greeting;

    memset(&greeting, 0xfe, sizeof(greeting));
    greeting.head = LINK_HEAD(LINK_GREETING, greeting);
    greeting.version = greeting.version_oldest = LINK_VERSION;
    greeting.vm_count = 0;
    send_message(step->worker, &greeting, sizeof(greeting));
}

static void send_report(struct worker *worker, const struct guest *guest, uint32_t phase)
{
    const struct link_report report = {
        .vm = vm_head(LINK_REPORT, sizeof(report), guest),
        .phase = phase,
    };

    send_message(worker, &report, sizeof(report));
}

static void do_report(struct step *step)
{
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        if (step->worker->guests[slot].there)
            send_report(step->worker, &step->worker->guests[slot],
                        step->worker->guests[slot].phase);
}

/* The argument is a number for the phase. */
static void do_report_phase(struct step *step)
{
    send_report(step->worker, step->guest, (uint32_t)atoi(step->argument));
}

/* Of a VM that is not there, or not its own: the argument is its id. */
static void do_report_stranger(struct step *step)
{
    const struct guest stranger = { .id = (uint64_t)atoll(step->argument), .slot = 0 };

    send_report(step->worker, &stranger, LINK_PHASE_RUNNING);
}

/* In a slot that there is not: the argument is its number. */
static void do_report_slot(struct step *step)
{
    const struct guest stranger = { .id = 1, .slot = (uint32_t)atoll(step->argument) };

    send_report(step->worker, &stranger, LINK_PHASE_RUNNING);
}

/* A VM's life. */

static void do_fill(struct step *step)
{
    struct guest *guest = step->guest;
    struct error err;

    require(
        vm_file_fill(guest->file_fd, &guest->record, guest->ring_capacity, &guest->file, &err) == 0,
        err.text);
}

static void set_phase(struct guest *guest, enum link_phase phase, enum vm_state state)
{
    guest->phase = phase;
    atomic_store(guest->file->state, (uint32_t)state);
}

/* It runs, but does not tell: that is left to another word. */
static void do_begin(struct step *step)
{
    struct guest *guest = step->guest;

    guest->file->record->started_ns = clock_realtime_ns();
    atomic_store(&guest->file->live->started_mono_ns, clock_monotonic_ns());
    set_phase(guest, LINK_PHASE_RUNNING, VM_RUNNING);
}

static void do_run(struct step *step)
{
    do_fill(step);
    do_begin(step);
    tell(step->guest, step->worker, SLOT_RUNNING);
}

static void do_print(struct step *step)
{
    struct slot *slot = &step->worker->page->slots[step->guest->slot];

    output_ring_append(&step->guest->file->ring, step->argument, strlen(step->argument));
    if (atomic_exchange(&slot->output_wanted, 0))
        tell(step->guest, step->worker, SLOT_OUTPUT);
}

/* As the argument says, a bit of enum slot_news, whatever is so. */
static void do_tell(struct step *step)
{
    tell(step->guest, step->worker, (uint32_t)atoi(step->argument));
}

static void end_guest(struct guest *guest, enum guest_end_reason reason, const char *sentence)
{
    guest->file->record->ended_ns = clock_realtime_ns();
    guest_end_set(&guest->file->record->end, reason, 0, "%s", sentence);
    set_phase(guest, LINK_PHASE_ENDED, VM_EXITED);
}

static void forget(struct guest *guest)
{
    vm_file_free(guest->file);
    guest->there = false;
}

static void do_halt(struct step *step)
{
    end_guest(step->guest, GUEST_END_HALTED, "the guest halted");
    tell(step->guest, step->worker, SLOT_ENDED);
}

static void do_gone(struct step *step)
{
    tell(step->guest, step->worker, SLOT_GONE);
    forget(step->guest);
}

/* It has ended, of which its file tells, and nothing else. */
static void do_end_in_silence(struct step *step)
{
    end_guest(step->guest, GUEST_END_HALTED, "the guest halted");
}

/* As of an image: the argument is the errno. */
static void do_refuse(struct step *step)
{
    struct link_refused refused = {
        .vm = vm_head(LINK_REFUSED, sizeof(refused), step->guest),
        .code = -atoi(step->argument),
    };

    snprintf(refused.text, sizeof(refused.text), "the script refuses it");
    send_message(step->worker, &refused, sizeof(refused));
    forget(step->guest);
}

/* The VM's start came to nothing, as the worker has it in its file. */
static void do_fail(struct step *step)
{
    struct vm_record *record = step->guest->file->record;

    record->ended_ns = clock_realtime_ns();
    record->start_error = -atoi(step->argument);
    guest_end_set(&record->end, GUEST_END_ERROR, 0, "the script cannot make it");
    set_phase(step->guest, LINK_PHASE_ENDED, VM_FAILED);
    tell(step->guest, step->worker, SLOT_ENDED);
}

static void do_deaf(struct step *step)
{
    step->guest->deaf = true;
}

static void do_strand(struct step *step)
{
    const struct link_vm stranded = vm_head(LINK_STRANDED, sizeof(stranded), step->guest);

    send_message(step->worker, &stranded, sizeof(stranded));
}

/* What a worker must not do. */

static void do_refuse_stranger(struct step *step)
{
    struct link_refused refused = { .vm = { .head = LINK_HEAD(LINK_REFUSED, refused),
                                            .id = (uint64_t)atoll(step->argument) } };

    memset(refused.text, 'x', sizeof(refused.text)); /* no end to it, either */
    send_message(step->worker, &refused, sizeof(refused));
}

static void do_refuse_slot(struct step *step)
{
    struct link_refused refused = { .vm = { .head = LINK_HEAD(LINK_REFUSED, refused),
                                            .slot = (uint32_t)atoll(step->argument) } };

    send_message(step->worker, &refused, sizeof(refused));
}

static void do_strand_slot(struct step *step)
{
    const struct link_vm stranded = { .head = LINK_HEAD(LINK_STRANDED, stranded),
                                      .slot = (uint32_t)atoll(step->argument) };

    send_message(step->worker, &stranded, sizeof(stranded));
}

static void do_send_descriptor(struct step *step)
{
    const struct link_log line = { .head = LINK_HEAD(LINK_LOG, line) };
    int ends[2];

    require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
    require(link_send(step->worker->link_fd, &line, sizeof(line), ends, 2) == 0, "link_send");
}

/* A message whose bytes are fewer than it says, by the argument. */
static void do_send_short(struct step *step)
{
    struct link_log line = { .head = LINK_HEAD(LINK_LOG, line) };

    send_message(step->worker, &line, sizeof(line) - (size_t)atoi(step->argument));
}

/* Larger than any message is. */
static void do_send_large(struct step *step)
{
    static struct {
        struct link_head head;
        char bytes[LINK_MESSAGE_MAX];
    } large = { .head = { .type = LINK_LOG, .size = sizeof(large) } };

    send_message(step->worker, &large, sizeof(large));
}

/* Of a later version of the link, which has a type more: the argument is its number. */
static void do_send_unknown(struct step *step)
{
    const struct link_head head = { .type = (uint32_t)atoll(step->argument), .size = sizeof(head) };

    send_message(step->worker, &head, sizeof(head));
}

/* A message with a field more, as of a later version. */
static void do_log_longer(struct step *step)
{
    struct {
        struct link_log line;
        char more[64];
    } longer = { .line = { .head = LINK_HEAD(LINK_LOG, longer), .level = LOG_LEVEL_ERROR } };

    snprintf(longer.line.text, sizeof(longer.line.text), "%s", step->argument);
    send_message(step->worker, &longer, sizeof(longer));
}

static void do_log(struct step *step)
{
    struct link_log line = { .head = LINK_HEAD(LINK_LOG, line), .level = LOG_LEVEL_ERROR };

    snprintf(line.text, sizeof(line.text), "%s", step->argument);
    send_message(step->worker, &line, sizeof(line));
}

/* A line of the level that is the argument. */
static void do_log_level(struct step *step)
{
    struct link_log line = { .head = LINK_HEAD(LINK_LOG, line),
                             .level = (uint32_t)atoll(step->argument) };

    snprintf(line.text, sizeof(line.text), "of that level");
    send_message(step->worker, &line, sizeof(line));
}

/* A line about the VM whose id is the argument. */
static void do_log_about(struct step *step)
{
    struct link_log line = { .head = LINK_HEAD(LINK_LOG, line),
                             .level = LOG_LEVEL_ERROR,
                             .vm_id = (uint64_t)atoll(step->argument) };

    snprintf(line.text, sizeof(line.text), "about it");
    send_message(step->worker, &line, sizeof(line));
}

/* All bytes that a line should not have, of levels that there are not, and ever more of them. */
static void do_flood(struct step *step)
{
    struct link_log line = { .head = LINK_HEAD(LINK_LOG, line), .vm_id = UINT64_MAX };

    for (size_t i = 0; i < sizeof(line.text); i++)
        line.text[i] = (char)(1 + i % 255);
    for (uint32_t i = 0; i < FLOOD; i++) {
        line.level = i;
        send_message(step->worker, &line, sizeof(line));
    }
}

/* Each byte of the file, up to the ring's first ones, is the argument; what it printed is lost. */
static void do_scribble(struct step *step)
{
    struct vm_file *file = step->guest->file;

    memset(file->map, atoi(step->argument), VM_FILE_RING_OFFSET + OUTPUT_RING_CAPACITY_MIN);
}

/* What changes while it is read: many times, and no two of them alike. */
static void do_scribble_all(struct step *step)
{
    uint64_t seed = step->guest->id;

    for (int i = 0; i < 200; i++)
        for (size_t at = 0; at < VM_FILE_RING_OFFSET; at++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            step->guest->file->map[at] = (unsigned char)(seed >> 56);
        }
}

/* All counters of the ring are the argument. */
static void do_ring_nonsense(struct step *step)
{
    struct output_ring_state *ring = step->guest->file->ring.state;
    uint64_t value = strtoull(step->argument, NULL, 0);

    atomic_store(&ring->capacity, value);
    atomic_store(&ring->size, value);
    atomic_store(&ring->claimed, value);
    atomic_store(&ring->end, value);
}

/* The times of a VM are the argument. */
static void do_time_nonsense(struct step *step)
{
    struct vm_live *live = step->guest->file->live;
    int64_t value = strtoll(step->argument, NULL, 0);

    atomic_store(&live->started_mono_ns, value);
    atomic_store(&live->stands_mono_ns, value);
    atomic_store(&live->stood_ns, (uint64_t)value);
}

/* Every bit that the daemon looks at, of every slot. */
static void do_ring_all_bells(struct step *step)
{
    struct worker *worker = step->worker;
    const uint64_t one = 1;

    for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
        atomic_store(&worker->page->slots[slot].news, UINT32_MAX);
        atomic_store(&worker->page->slots[slot].cpu_ns, INT64_MIN);
    }
    atomic_store(&worker->page->news, UINT64_MAX);
    require(write(worker->bell_fd, &one, sizeof(one)) == sizeof(one), "bell");
}

/* Its file ends where the argument says. */
static void do_cut(struct step *step)
{
    require(ftruncate(step->guest->file->fd, atoll(step->argument)) == 0, "ftruncate");
}

static void do_leave_note(struct step *step)
{
    require(pwrite(LINK_NOTE_FD, step->argument, strlen(step->argument), 0) > 0, "note");
}

static void do_die(struct step *step)
{
    int number = atoi(step->argument);

    signal(number, SIG_DFL); /* not the sanitizer's */
    raise(number);
}

static void do_exit(struct step *step)
{
    _exit(atoi(step->argument));
}

/* Nothing more is heard of it, but it lives, as long as its daemon does. */
static void do_hang(struct step *step)
{
    struct pollfd pollfd = { .fd = step->worker->link_fd };

    poll(&pollfd, 1, -1);
    poll(NULL, 0, ORPHAN_MS);
    _exit(4);
}

/* For the argument's milliseconds. */
static void do_sleep(struct step *step)
{
    poll(NULL, 0, atoi(step->argument));
}

static void do_hang_up(struct step *step)
{
    close(step->worker->link_fd);
    while (true)
        pause();
}

static const struct word {
    const char *name;
    void (*fn)(struct step *step);
} words[] = {
    { "greet", do_greet },
    { "greet-version", do_greet_version },
    { "greet-count", do_greet_count },
    { "greet-nonsense", do_greet_nonsense },
    { "report", do_report },
    { "report-phase", do_report_phase },
    { "report-stranger", do_report_stranger },
    { "report-slot", do_report_slot },
    { "fill", do_fill },
    { "begin", do_begin },
    { "run", do_run },
    { "print", do_print },
    { "tell", do_tell },
    { "halt", do_halt },
    { "gone", do_gone },
    { "end-in-silence", do_end_in_silence },
    { "refuse", do_refuse },
    { "fail", do_fail },
    { "deaf", do_deaf },
    { "strand", do_strand },
    { "refuse-stranger", do_refuse_stranger },
    { "refuse-slot", do_refuse_slot },
    { "strand-slot", do_strand_slot },
    { "send-descriptor", do_send_descriptor },
    { "send-short", do_send_short },
    { "send-large", do_send_large },
    { "send-unknown", do_send_unknown },
    { "log", do_log },
    { "log-longer", do_log_longer },
    { "log-level", do_log_level },
    { "log-about", do_log_about },
    { "flood", do_flood },
    { "scribble", do_scribble },
    { "scribble-all", do_scribble_all },
    { "ring-nonsense", do_ring_nonsense },
    { "time-nonsense", do_time_nonsense },
    { "ring-all-bells", do_ring_all_bells },
    { "cut", do_cut },
    { "leave-note", do_leave_note },
    { "die", do_die },
    { "exit", do_exit },
    { "hang", do_hang },
    { "hang-up", do_hang_up },
    { "sleep", do_sleep },
};

static void do_word(struct worker *worker, struct guest *guest, char *word)
{
    char *equals = strchr(word, '=');
    struct step step = { .worker = worker, .guest = guest, .argument = equals ? equals + 1 : "" };

    if (equals)
        *equals = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].name, word) == 0) {
            words[i].fn(&step);
            return;
        }
    errno = 0;
    require(false, word);
}

/* Up to "-", what follows being kept. */
static void do_script(struct worker *worker, struct guest *guest, const char *script)
{
    char copy[SCRIPT_SIZE], *rest = copy, *word;

    snprintf(copy, sizeof(copy), "%s", script);
    while ((word = strsep(&rest, " "))) {
        if (strcmp(word, "-") == 0) {
            snprintf(guest->later, sizeof(guest->later), "%s", rest ? rest : "");
            return;
        }
        if (*word)
            do_word(worker, guest, word);
    }
}

/* Messages. */

static void replace_fd(int *fd, int with)
{
    if (*fd >= 0)
        close(*fd);
    *fd = with;
}

/* The usual, or what one of the VMs has for this. */
static void answer_greeting(struct worker *worker)
{
    const char *script = getenv("SCRIPTED_WORKER");

    for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
        struct guest *guest = &worker->guests[slot];
        char later[SCRIPT_SIZE];

        if (!guest->there || !guest->later[0])
            continue;
        memcpy(later, guest->later, sizeof(later));
        guest->later[0] = '\0';
        do_script(worker, guest, later);
        return;
    }
    do_script(worker, NULL, script && !worker->greeted ? script : "greet report");
}

static void on_greeting(struct worker *worker, struct link_message *message)
{
    int page_fd = link_message_take_fd(message, 0);

    replace_fd(&worker->bell_fd, link_message_take_fd(message, 1));
    replace_fd(&worker->call_fd, link_message_take_fd(message, 2));
    require(slot_page_map(&worker->page, page_fd) == 0, "slot_page_map");
    close(page_fd);
    answer_greeting(worker);
    worker->greeted = true;
}

static void on_start(struct worker *worker, struct link_message *message)
{
    struct definition_texts texts;
    struct link_start start;
    struct guest *guest;

    link_message_read(message, &start, sizeof(start));
    require(start.vm.slot < SLOTS_MAX, "slot");
    require(definition_unpack(&start.definition, (const char *)message->bytes + sizeof(start),
                              start.texts_size, &texts) == 0,
            "texts");
    guest = &worker->guests[start.vm.slot];
    if (guest->there)
        forget(guest); /* it has told so, and lied */
    *guest = (struct guest){
        .there = true,
        .id = start.vm.id,
        .slot = start.vm.slot,
        .file_fd = link_message_take_fd(message, 0),
        .record = { .id = start.vm.id,
                    .owner = start.owner,
                    .created_ns = start.created_ns,
                    .cpus = start.definition.cpus },
        .ring_capacity = start.definition.ring_capacity,
    };
    snprintf(guest->record.name, sizeof(guest->record.name), "%s", start.name);
    do_script(worker, guest, texts.append);
}

/* The guest that a message is about; NULL: it is gone. */
static struct guest *guest_of(struct worker *worker, const struct link_message *message)
{
    struct link_vm vm;

    link_message_read(message, &vm, sizeof(vm));
    require(vm.slot < SLOTS_MAX, "slot");
    return worker->guests[vm.slot].there && worker->guests[vm.slot].id == vm.id
               ? &worker->guests[vm.slot]
               : NULL;
}

static void on_end(struct worker *worker, struct link_message *message)
{
    struct guest *guest = guest_of(worker, message);
    struct link_end end;
    struct step step = { .worker = worker, .guest = guest };

    link_message_read(message, &end, sizeof(end));
    if (!guest || guest->deaf || guest->phase == LINK_PHASE_ENDED)
        return;
    if (!guest->file)
        do_fill(&step);
    guest->file->record->stopped_by = end.by;
    end_guest(guest, (enum guest_end_reason)end.reason, end.sentence);
    tell(guest, worker, SLOT_ENDED);
    do_gone(&step);
}

static void on_pause(struct worker *worker, struct link_message *message)
{
    struct guest *guest = guest_of(worker, message);

    if (!guest)
        return;
    set_phase(guest, LINK_PHASE_PAUSED, VM_PAUSED);
    tell(guest, worker, SLOT_STANDS);
}

static void on_resume(struct worker *worker, struct link_message *message)
{
    struct guest *guest = guest_of(worker, message);

    if (!guest)
        return;
    set_phase(guest, LINK_PHASE_RUNNING, VM_RUNNING);
    tell(guest, worker, SLOT_GOES_ON);
}

static void handle(struct worker *worker, struct link_message *message)
{
    uint32_t type = message->head.type;

    switch ((enum link_type)type) {
    case LINK_GREETING:
        on_greeting(worker, message);
        break;
    case LINK_START:
        on_start(worker, message);
        break;
    case LINK_END:
        on_end(worker, message);
        break;
    case LINK_PAUSE:
        on_pause(worker, message);
        break;
    case LINK_RESUME:
        on_resume(worker, message);
        break;
    case LINK_INPUT:
    case LINK_TIMES:
    case LINK_LOG_LEVEL:
    case LINK_REPORT:
    case LINK_REFUSED:
    case LINK_STRANDED:
    case LINK_LOG:
    case LINK_RECEIVE:
    case LINK_RECEIVED:
    case LINK_SUPPLY:
    case LINK_FORGET:
    case LINK_SOURCE:
        break;
    }
    link_message_release(message);
    if (type != LINK_GREETING)
        atomic_fetch_add(&worker->page->heard, 1);
}

static void on_link(struct worker *worker)
{
    static struct link_message message;
    int r = link_receive(worker->link_fd, &message);

    if (r == 0)
        handle(worker, &message);
    else if (r != -EAGAIN)
        replace_fd(&worker->link_fd, -1);
}

int main(void)
{
    struct worker worker = { .link_fd = LINK_FD, .bell_fd = -1, .call_fd = -1 };

    alarm(LIFE_S);
    require(listen(LINK_LISTEN_FD, 4) == 0, "listen");
    while (worker.link_fd >= 0 || count_guests(&worker) > 0) {
        struct pollfd fds[] = { { .fd = worker.link_fd, .events = POLLIN },
                                { .fd = LINK_LISTEN_FD, .events = POLLIN } };

        int n = poll(fds, 2, worker.link_fd >= 0 ? -1 : ORPHAN_MS);

        if (n == 0)
            _exit(EXIT_FAILURE); /* a sanitizer has nothing to say of what it had */
        if (n < 0)
            continue;
        if (fds[0].revents)
            on_link(&worker);
        else if (fds[1].revents)
            replace_fd(&worker.link_fd, accept(LINK_LISTEN_FD, NULL, NULL));
    }
    return EXIT_SUCCESS;
}

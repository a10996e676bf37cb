/*
 * Fuzz target: what comes by the link: the daemon's handlers of what a worker says, and the
 * worker's reading of a start.
 *
 * Input: items, each { what, 8 bits; flags, 8 bits; length, 16 bits } and so many bytes. `what` is
 * the type of a message, whose head is put before the bytes, with the right size unless bit 0 of
 * the flags is set; bit 1 sends descriptors with it. Or it is one of these:
 */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/closer.h"
#include "util/log.h"
#include "util/work_queue.h"
#include "vm/registry_private.h"
#include "vm/worker.h"
#include "worker/guest.h"

enum {
    ITEM_NEWS = 0x80, /* in the slot page: { slot, 8 bits; news, 32 bits } */
    ITEM_SHORT_START, /* to the worker: a start of these bytes, with a head that fits */
    ITEM_ANY_MESSAGE, /* to the daemon: these bytes, as they are */
};

enum { ITEM_BAD_SIZE = 1, ITEM_DESCRIPTORS = 2 };

enum { UID = 1000, SLOT = 3, NUMBER = 1 };

/* The VM's id, in inputs. Each has another one in fact, so that no file is in another's way. */
enum { ID = 7 };

struct item {
    uint8_t what;
    uint8_t flags;
    uint8_t length[2];
};

/* What the linker has in place of these. There is one process, which is its own worker: it is not
 * to kill itself, nor to start others. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_pidfd_send_signal(int fd, int number, void *info, unsigned flags);
/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_worker_spawn(const struct worker_owner *owner, uint64_t number, struct worker **ret,
                        struct error *err);

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_pidfd_send_signal(int fd, int number, void *info, unsigned flags)
{
    (void)fd, (void)number, (void)info, (void)flags;
    return 0;
}

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_worker_spawn(const struct worker_owner *owner, uint64_t number, struct worker **ret,
                        struct error *err)
{
    (void)owner, (void)number, (void)ret;
    return error_set(err, -EAGAIN, "there are no others");
}

static void drop_line(void *context, const struct log_entry *entry)
{
    (void)context;
    REQUIRE(strlen(entry->message) < LOG_LINE_SIZE);
    for (const char *c = entry->message; *c; c++)
        REQUIRE(*c >= ' ' && *c <= '~');
    REQUIRE(!entry->vm_name || strcmp(entry->vm_name, "lab") == 0);
}

/* A daemon; it stays for the process's life. An ended VM is forgotten at once. */
static struct daemon {
    struct event_base *base;
    struct registry *registry;
    uint64_t next_id;
} * get_daemon(void)
{
    static const struct vm_limits limits = { .max_vms = 1, .retain = 0 };
    static const struct worker_pool_limits worker_limits = { .worker_vms = SLOTS_MAX };
    static char directory[] = "/dev/shm/vmmd-fuzz-XXXXXX";
    static struct daemon daemon;
    struct registry_setup setup = {
        .limits = &limits,
        .worker_limits = &worker_limits,
        .state_dir = directory,
        .worker_binary = "/nonexistent",
    };
    struct error err;

    if (!daemon.registry) {
        log_set_sink(drop_line, NULL);
        REQUIRE(mkdtemp(directory));
        setup.base = daemon.base = event_base_new();
        REQUIRE(work_queue_new(&setup.work_queue) == 0 && closer_new(&setup.closer) == 0);
        REQUIRE(registry_new(&setup, &daemon.registry, &err) == 0);
        daemon.next_id = 1000;
    }
    return &daemon;
}

/* The worker's side. */
struct side {
    int fd;
    int bell_fd;
    struct slot_page *page;
    uint64_t id; /* of its VM */
};

static struct link_message message;

/* Where a daemon comes to find the worker. */
static int listen_for_daemon(const struct daemon *daemon)
{
    int directory = daemon->registry->directory.fd, fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/workers/%d.sock",
             directory, NUMBER);
    unlink(address.sun_path);
    REQUIRE(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    REQUIRE(listen(fd, 1) == 0);
    return fd;
}

static void accept_daemon(int listener, struct side *side)
{
    int page_fd;

    side->fd = accept(listener, NULL, NULL);
    close(listener);
    REQUIRE(link_receive(side->fd, &message) == 0 && message.head.type == LINK_GREETING);
    page_fd = link_message_take_fd(&message, 0);
    side->bell_fd = link_message_take_fd(&message, 1);
    side->page = NULL;
    REQUIRE(slot_page_map(&side->page, page_fd) == 0);
    close(page_fd);
    link_message_release(&message);
}

static void make_file(const struct daemon *daemon, const struct vm *vm)
{
    struct vm_file *file;
    struct error err;

    REQUIRE(vm_file_fill(vm_file_make(daemon->registry->directory.fd, vm->record.id), &vm->record,
                         4096, &file, &err) == 0);
    output_ring_append(&file->ring, "output", 6);
    atomic_store(file->state, VM_RUNNING);
    vm_file_free(file);
}

/* A VM, as one that was taken up, in that worker's hands. */
static struct vm *make_vm(struct daemon *daemon, struct worker *worker)
{
    struct registry *registry = daemon->registry;
    struct ledger_row row = { .id = daemon->next_id++, .worker = NUMBER, .slot = SLOT };
    struct vm *vm = vm_new(&registry->vm_owner);
    struct error err;

    vm->record.id = row.id;
    strcpy(vm->record.name, "lab");
    vm->ring_capacity = 4096;
    make_file(daemon, vm);
    REQUIRE(ledger_add(registry->ledger, &row, &vm->ledger_index, &err) == 0);
    REQUIRE(registry_list(registry, vm) && registry_list_live(registry, vm));
    vm->worker = worker;
    vm->slot = SLOT;
    worker_pool_occupy(registry->pool, worker, SLOT, vm_ref(vm));
    return vm;
}

/* Who speaks of the VM, by the id that it has in inputs. */
static void translate_id(unsigned char *bytes, size_t size, uint64_t actual)
{
    struct link_vm vm;

    if (size < sizeof(vm))
        return;
    memcpy(&vm, bytes, sizeof(vm));
    if (vm.id == ID)
        vm.id = actual;
    memcpy(bytes, &vm, sizeof(vm));
}

static void send_message(const struct side *side, const struct item *item, const uint8_t *data,
                         size_t size)
{
    static unsigned char bytes[LINK_MESSAGE_MAX + 64];
    const struct link_head head = {
        .type = item->what,
        .size = (uint32_t)(sizeof(head) + size) + (item->flags & ITEM_BAD_SIZE),
    };
    size_t whole = item->what == ITEM_ANY_MESSAGE ? size : sizeof(head) + size;

    if (item->what == ITEM_ANY_MESSAGE) {
        memcpy(bytes, data, size);
    } else {
        memcpy(bytes, &head, sizeof(head));
        memcpy(bytes + sizeof(head), data, size);
        translate_id(bytes, whole, side->id);
    }
    (void)link_send(side->fd, bytes, whole, &side->bell_fd, item->flags & ITEM_DESCRIPTORS ? 1 : 0);
}

static void tell_news(const struct side *side, const uint8_t *data, size_t size)
{
    uint32_t news;

    if (size < 5)
        return;
    memcpy(&news, data + 1, sizeof(news));
    atomic_fetch_or(&side->page->news, UINT64_C(1) << data[0] % 64);
    atomic_fetch_or(&side->page->slots[data[0] % SLOTS_MAX].news, news);
    REQUIRE(write(side->bell_fd, &(uint64_t){ 1 }, 8) == 8);
}

/* The worker's reading. */
static void read_start(const uint8_t *data, size_t size)
{
    static const struct guest_home home = { .bell_fd = -1, .wake_fd = -1 };
    int ends[2];
    struct guest *guest;

    message.size = sizeof(message.head) + size;
    message.head = (struct link_head){ .type = LINK_START, .size = (uint32_t)message.size };
    memcpy(message.bytes + sizeof(message.head), data, size);
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    message.fds[0] = memfd_create("fuzz", MFD_CLOEXEC);
    message.fds[1] = ends[0];
    message.fd_count = 2;
    if (guest_new(&home, &message, &guest) == 0) {
        const struct definition *definition = &guest->definition;

        REQUIRE(guest->slot < SLOTS_MAX && definition_check(definition) == 0);
        REQUIRE(strlen(guest->texts.append) <= size && strlen(guest->name) < sizeof(guest->name));
        for (size_t i = 0; i < definition_source_count(definition); i++)
            REQUIRE(strlen(guest->texts.sources[i].name) +
                        strlen(guest->texts.sources[i].arguments) <=
                    size);
        guest_free(guest);
    }
    link_message_release(&message);
    close(ends[1]);
}

static void do_item(const struct daemon *daemon, const struct side *side, const struct item *item,
                    const uint8_t *data, size_t size)
{
    if (item->what == ITEM_NEWS)
        tell_news(side, data, size);
    else if (item->what == ITEM_SHORT_START)
        read_start(data, size);
    else
        send_message(side, item, data, size);
    event_base_loop(daemon->base, EVLOOP_NONBLOCK);
}

static void do_items(const struct daemon *daemon, const struct side *side, const uint8_t *data,
                     size_t size)
{
    struct item item;

    while (size >= sizeof(item)) {
        size_t length;

        memcpy(&item, data, sizeof(item));
        data += sizeof(item);
        size -= sizeof(item);
        length = item.length[0] | (size_t)item.length[1] << 8;
        length = length < size ? length : size;
        do_item(daemon, side, &item, data, length);
        data += length;
        size -= length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct daemon *daemon = get_daemon();
    int listener = listen_for_daemon(daemon);
    struct worker *worker;
    struct side side;
    struct error err;
    struct vm *vm;

    REQUIRE(worker_pool_adopt(daemon->registry->pool, NUMBER, UID, &worker, &err) == 0);
    accept_daemon(listener, &side);
    vm = vm_ref(make_vm(daemon, worker));
    side.id = vm->record.id;
    do_items(daemon, &side, data, size);

    if (vm->worker)
        vm_handle_lost(vm, "the input is over");
    REQUIRE(vm_has_ended(vm) && vm->record.end.reason != GUEST_END_NONE);
    REQUIRE(memchr(vm->record.end.message, '\0', sizeof(vm->record.end.message)));
    REQUIRE(worker->vm_count == 0 && registry_counts(daemon->registry).held == 0);
    REQUIRE(registry_counts(daemon->registry).live == 0);
    vm_unref(vm);
    worker_free(worker);
    slot_page_free(side.page);
    close(side.bell_fd);
    close(side.fd);
    return 0;
}

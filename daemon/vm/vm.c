#include "vm/vm.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "shared/link.h"
#include "util/clock.h"
#include "util/log.h"
#include "vm/vm_private.h"
#include "vm/worker.h"

struct vm *vm_new(const struct vm_owner *owner)
{
    struct vm *vm = calloc(1, sizeof(*vm));

    if (!vm)
        return NULL;
    vm->owner = owner;
    vm->references = 1;
    vm->file_fd = -1;
    list_init(&vm->link);
    list_init(&vm->ended_link);
    list_init(&vm->observers);
    return vm;
}

void vm_free(struct vm *vm)
{
    vm_file_free(vm->file);
    if (vm->file_fd >= 0)
        close(vm->file_fd);
    input_queue_free(vm->input);
    free(vm);
}

struct vm *vm_ref(struct vm *vm)
{
    vm->references++;
    return vm;
}

void vm_unref(struct vm *vm)
{
    if (--vm->references == 0)
        vm->owner->unreferenced(vm->owner->context, vm);
}

/* Observers. */

void vm_observe(struct vm *vm, struct vm_observer *observer)
{
    list_append(&vm->observers, &observer->link);
}

void vm_unobserve(struct vm_observer *observer)
{
    list_remove(&observer->link);
}

void vm_observers_notify(struct list *observers, struct vm *vm, unsigned notice)
{
    struct list waiting; /* each moves back before it is told, so all links hold whatever it does */

    list_init(&waiting);
    list_move_all(observers, &waiting);
    while (!list_is_empty(&waiting)) {
        struct list *link = waiting.next;
        struct vm_observer *observer = LIST_ENTRY(link, struct vm_observer, link);

        list_remove(link);
        list_append(observers, link);
        observer->notify(observer, vm, notice);
    }
}

void vm_notify(struct vm *vm, unsigned notice)
{
    vm_ref(vm);
    vm_observers_notify(&vm->observers, vm, notice);
    if (notice & VM_NOTICE_STATE)
        vm->owner->changed(vm->owner->context, vm);
    vm_unref(vm);
}

void vm_set_state(struct vm *vm, enum vm_state state)
{
    assert(vm_state_may_become(vm->state, state));
    vm->state = state;
    vm_notify(vm, VM_NOTICE_STATE);
}

/* What it is. */

uint64_t vm_id(const struct vm *vm)
{
    return vm->record.id;
}

const char *vm_name(const struct vm *vm)
{
    return vm->record.name;
}

const struct vm *vm_of_link(const struct list *link)
{
    return LIST_ENTRY(link, struct vm, link);
}

enum vm_state vm_state(const struct vm *vm)
{
    return vm->state;
}

bool vm_has_ended(const struct vm *vm)
{
    return vm_state_is_terminal(vm->state);
}

bool vm_has_started(const struct vm *vm)
{
    return vm->file || vm_has_ended(vm);
}

const struct vm_record *vm_record(const struct vm *vm)
{
    return &vm->record;
}

bool vm_read_paused(const struct vm *vm, struct register_dump *ret)
{
    if (vm->state != VM_PAUSED || !vm->file)
        return false;
    vm_file_read_stopped(vm->file, ret);
    return true;
}

uint64_t vm_ring_capacity(const struct vm *vm)
{
    return vm->ring_capacity;
}

const struct output_ring *vm_ring(const struct vm *vm)
{
    return vm->file ? &vm->file->ring : NULL;
}

const struct exit_stats *vm_stats(const struct vm *vm)
{
    return vm->file ? vm->file->stats : NULL;
}

const struct vm_file *vm_file(const struct vm *vm)
{
    return vm->file;
}

/* Times, which its file has: another daemon may have seen it start. */

/* since_ns: its worker's word. 0 for what cannot be. */
static uint64_t passed_ns(int64_t since_ns, int64_t now_ns)
{
    return since_ns > 0 && since_ns < now_ns ? (uint64_t)(now_ns - since_ns) : 0;
}

/* since_start_ns: it cannot have stood still for longer. */
static uint64_t live_paused_ns(const struct vm_live *live, uint64_t since_start_ns, int64_t now_ns)
{
    uint64_t before_ns = atomic_load(&live->stood_ns);
    uint64_t stands_ns = passed_ns(atomic_load(&live->stands_mono_ns), now_ns);

    if (before_ns > since_start_ns || stands_ns > since_start_ns - before_ns)
        return since_start_ns;
    return before_ns + stands_ns;
}

uint64_t vm_uptime_ns(const struct vm *vm)
{
    const struct vm_live *live = vm->file ? vm->file->live : NULL;
    int64_t now_ns = clock_monotonic_ns();
    uint64_t since_start_ns;

    if (vm_has_ended(vm) || !live)
        return vm->record.uptime_ns;
    since_start_ns = passed_ns(atomic_load(&live->started_mono_ns), now_ns);
    return since_start_ns - live_paused_ns(live, since_start_ns, now_ns);
}

uint64_t vm_paused_ns(const struct vm *vm)
{
    const struct vm_live *live = vm->file ? vm->file->live : NULL;
    int64_t now_ns = clock_monotonic_ns();

    if (vm_has_ended(vm) || !live)
        return vm->record.paused_ns;
    return live_paused_ns(live, passed_ns(atomic_load(&live->started_mono_ns), now_ns), now_ns);
}

/* Its worker. */

void vm_send(struct vm *vm, void *message, size_t size, const int *fds, size_t fd_count)
{
    struct link_vm *head = message;

    if (!vm->worker)
        return; /* it is about to be told gone */
    head->id = vm->record.id;
    head->slot = vm->slot;
    if (worker_send(vm->worker, message, size, fds, fd_count) < 0)
        log_vm_line(LOG_LEVEL_WARNING, vm->record.id, vm->record.name,
                    "cannot ask its worker: too much waits for that already");
}

bool vm_is_silent(const struct vm *vm)
{
    return vm->worker && worker_is_silent(vm->worker);
}

bool vm_want_times(struct vm *vm)
{
    struct link_vm message = { .head = LINK_HEAD(LINK_TIMES, message) };

    if (!vm->worker || vm_has_ended(vm))
        return false;
    if (!vm->times_wanted)
        vm_send(vm, &message, sizeof(message), NULL, 0);
    vm->times_wanted = true;
    return true;
}

bool vm_has_times(const struct vm *vm)
{
    return !vm->times_wanted || vm_has_ended(vm);
}

int64_t vm_cpu_ns(const struct vm *vm)
{
    if (!vm->worker || vm_has_ended(vm))
        return -1;
    return atomic_load(&vm->worker->page->slots[vm->slot].cpu_ns);
}

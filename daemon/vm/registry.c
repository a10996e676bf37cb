#include "vm/registry.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/work_queue.h"
#include "vm/registry_private.h"

DEFINE_CLEANUP(struct registry *, registry_free);

/* The index. */

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = ((const struct vm *)a)->record.id, right = ((const struct vm *)b)->record.id;

    return left < right ? -1 : left > right;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct vm *)a)->record.name, ((const struct vm *)b)->record.name);
}

bool registry_list(struct registry *registry, struct vm *vm)
{
    if (!tsearch(vm, &registry->by_id, compare_ids))
        return false;
    list_append(&registry->vms, &vm->link);
    return true;
}

void registry_unlist(struct registry *registry, struct vm *vm)
{
    tdelete(vm, &registry->by_id, compare_ids);
    list_remove(&vm->link);
}

bool registry_list_live(struct registry *registry, struct vm *vm)
{
    if (!tsearch(vm, &registry->by_name, compare_names))
        return false;
    registry->counts.live++;
    registry->counts.held++;
    return true;
}

void registry_unlist_live(struct registry *registry, struct vm *vm)
{
    tdelete(vm, &registry->by_name, compare_names);
    registry->counts.live--;
}

void registry_list_ended(struct registry *registry, struct vm *vm)
{
    list_append(&registry->ended, &vm->ended_link);
    registry->counts.ended++;
}

void registry_counts_changed(struct registry *registry)
{
    if (registry->on_counts)
        registry->on_counts(registry->on_counts_context);
}

static void forget(struct registry *registry, struct vm *vm)
{
    assert(vm_has_ended(vm) && !vm->removed);
    registry_unlist(registry, vm);
    list_remove(&vm->ended_link);
    registry->counts.ended--;
    vm->removed = true;
    /* in this order: a row without a file is one that was removed, a file without a row is strange
     */
    state_dir_remove(&registry->directory, vm->record.id);
    ledger_remove(registry->ledger, vm->ledger_index);
    vm_unref(vm); /* the registry's */
    registry_counts_changed(registry);
}

static struct vm *oldest_ended(const struct registry *registry)
{
    return LIST_ENTRY(registry->ended.next, struct vm, ended_link);
}

void registry_retire(struct registry *registry, size_t count)
{
    while (registry->counts.ended > count)
        forget(registry, oldest_ended(registry));
}

/* Told by VMs. */

static int open_vm_file(void *context, struct vm *vm)
{
    const struct registry *registry = context;

    return vm_file_open(registry->directory.fd, vm->record.id);
}

static void on_vm_changed(void *context, struct vm *vm)
{
    struct registry *registry = context;

    vm_observers_notify(&registry->observers, vm, VM_NOTICE_STATE);
    /* one for one, so that those that were lost at once do not go at once */
    if (vm_has_ended(vm) && registry->counts.ended > registry->setup.limits->retain)
        forget(registry, oldest_ended(registry));
}

static void on_vm_ended(void *context, struct vm *vm)
{
    struct registry *registry = context;

    registry_unlist_live(registry, vm);
    registry_list_ended(registry, vm);
    ledger_end(registry->ledger, vm->ledger_index);
    registry_counts_changed(registry);
}

static void on_vm_gone(void *context, struct vm *vm)
{
    struct registry *registry = context;
    struct worker *worker = vm->worker;

    vm->worker = NULL;
    registry->counts.held--;
    worker_pool_occupy(registry->pool, worker, vm->slot, NULL);
    registry_counts_changed(registry);
    vm_unref(vm); /* the worker's */
}

static void free_vm(void *argument)
{
    vm_free(argument);
}

static void on_vm_unreferenced(void *context, struct vm *vm)
{
    struct registry *registry = context;

    vm->disposal = (struct work_item){ .fn = free_vm, .argument = vm };
    work_queue_submit(registry->setup.work_queue, &vm->disposal);
}

/* Told by workers. */

/* The VM that is meant; NULL: a worker that tells of others is ended. */
static struct vm *vm_of(struct worker *worker, uint64_t id, unsigned slot)
{
    struct vm *vm = worker->vms[slot];

    if (vm && vm->record.id == id)
        return vm;
    log_error("worker %" PRIu64 " (pid %d, uid %" PRIu32 ") tells of VM %" PRIu64
              ", which is none of its, ending it",
              worker->number, (int)worker_pid(worker), worker->uid, id);
    worker_kill(worker);
    return NULL;
}

static void on_report(void *context, struct worker *worker, const struct link_report *report)
{
    struct vm *vm;

    (void)context;
    /* one of which an earlier daemon knew that it has ended: the worker is taking it down yet */
    if (report->phase == LINK_PHASE_ENDED && !worker->vms[report->vm.slot]) {
        worker_pool_hold(worker, report->vm.slot);
        return;
    }
    vm = vm_of(worker, report->vm.id, report->vm.slot);
    if (!vm)
        return;
    vm->reported = true;
    vm_handle_report(vm, report);
}

/* Those of which an earlier daemon's worker told nothing have come to their end meanwhile. */
static void on_reported(void *context, struct worker *worker)
{
    (void)context;
    if (!worker->adopted)
        return;
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
        struct vm *vm = worker->vms[slot];

        if (vm && !vm->reported)
            vm_handle_lost(vm, "its worker has it no more");
    }
}

static void on_refused(void *context, struct worker *worker, const struct link_refused *refused)
{
    struct vm *vm = vm_of(worker, refused->vm.id, refused->vm.slot);

    (void)context;
    if (vm)
        vm_handle_refused(vm, refused);
}

static void on_stranded(void *context, struct worker *worker, unsigned slot)
{
    (void)context;
    if (worker->vms[slot])
        vm_handle_stranded(worker->vms[slot]);
}

static void on_news(void *context, struct worker *worker, unsigned slot, uint32_t news)
{
    (void)context;
    if (worker->vms[slot])
        vm_handle_news(worker->vms[slot], news);
}

static void for_each_vm_of(struct worker *worker, void (*fn)(struct vm *vm, const void *argument),
                           const void *argument)
{
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        if (worker->vms[slot])
            fn(worker->vms[slot], argument);
}

static void tell_silent(struct vm *vm, const void *argument)
{
    (void)argument;
    vm_notify(vm, VM_NOTICE_SILENT);
}

static void on_silent(void *context, struct worker *worker)
{
    (void)context;
    for_each_vm_of(worker, tell_silent, NULL);
}

static void tell_lost(struct vm *vm, const void *argument)
{
    vm_handle_lost(vm, argument);
}

static void on_lost(void *context, struct worker *worker, const char *why)
{
    (void)context;
    for_each_vm_of(worker, tell_lost, why);
}

/* Making it. */

static int make_pool(struct registry *registry, struct error *err)
{
    const struct worker_pool_owner owner = {
        .report = on_report,
        .reported = on_reported,
        .refused = on_refused,
        .stranded = on_stranded,
        .news = on_news,
        .silent = on_silent,
        .lost = on_lost,
        .context = registry,
    };
    const struct registry_setup *setup = &registry->setup;

    return worker_pool_new(setup->base, setup->work_queue, setup->closer, setup->worker_binary,
                           registry->directory.fd, setup->worker_limits, &owner, &registry->pool,
                           err);
}

int registry_new(const struct registry_setup *setup, struct registry **ret, struct error *err)
{
    _cleanup_(registry_freep) struct registry *registry = calloc(1, sizeof(*registry));
    int r;

    if (!registry)
        return error_set(err, -ENOMEM, "out of memory");
    registry->setup = *setup;
    registry->directory = STATE_DIR_NONE;
    registry->vm_owner = (struct vm_owner){
        .base = setup->base,
        .open_file = open_vm_file,
        .changed = on_vm_changed,
        .ended = on_vm_ended,
        .gone = on_vm_gone,
        .unreferenced = on_vm_unreferenced,
        .context = registry,
    };
    list_init(&registry->vms);
    list_init(&registry->ended);
    list_init(&registry->observers);

    r = state_dir_open(&registry->directory, setup->state_dir, setup->work_queue, err);
    if (r == 0)
        r = make_pool(registry, err);
    if (r == 0)
        r = registry_take_up(registry, err);
    if (r < 0)
        return r;
    worker_pool_begin(registry->pool);
    *ret = TAKE_PTR(registry);
    return 0;
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    worker_pool_free(registry->pool);
    LIST_FOR_EACH(&registry->vms, link) {
        struct vm *vm = LIST_ENTRY(link, struct vm, link);

        tdelete(vm, &registry->by_id, compare_ids);
        if (!vm_has_ended(vm))
            tdelete(vm, &registry->by_name, compare_names);
        vm_output_end(vm);
        vm_free(vm);
    }
    ledger_close(registry->ledger);
    state_dir_close(&registry->directory);
    free(registry);
}

/* Finding. */

bool registry_is_id(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

struct vm *registry_find_live(const struct registry *registry, const char *name)
{
    struct vm key = { 0 };
    struct vm **node;

    if (strlen(name) >= sizeof(key.record.name))
        return NULL;
    strcpy(key.record.name, name);
    node = tfind(&key, &registry->by_name, compare_names);
    return node ? *node : NULL;
}

struct vm *registry_find_id(const struct registry *registry, uint64_t id)
{
    struct vm key = { .record = { .id = id } };
    struct vm **node = tfind(&key, &registry->by_id, compare_ids);

    return node ? *node : NULL;
}

struct vm *registry_find(const struct registry *registry, const char *text)
{
    struct vm *vm;

    if (registry_is_id(text))
        return registry_find_id(registry, strtoull(text, NULL, 10));
    vm = registry_find_live(registry, text);
    if (vm)
        return vm;
    for (struct list *link = registry->vms.previous; link != &registry->vms;
         link = link->previous) {
        vm = LIST_ENTRY(link, struct vm, link);
        if (strcmp(vm->record.name, text) == 0)
            return vm;
    }
    return NULL;
}

const struct list *registry_vms(const struct registry *registry)
{
    return &registry->vms;
}

struct registry_counts registry_counts(const struct registry *registry)
{
    return registry->counts;
}

const char *registry_state_dir(const struct registry *registry)
{
    return registry->directory.path;
}

const struct worker_pool *registry_workers(const struct registry *registry)
{
    return registry->pool;
}

struct worker_pool *registry_receivers(struct registry *registry)
{
    return registry->pool;
}

/* Ending. */

int registry_remove(struct registry *registry, struct vm *vm, struct error *err)
{
    if (!vm_has_ended(vm))
        return error_set(err, -EBUSY, "VM '%s' is %s; stop it before you remove it",
                         vm->record.name, vm_state_to_string(vm->state));
    forget(registry, vm);
    return 0;
}

void registry_shut_down(struct registry *registry, bool keep)
{
    registry->shutting_down = true;
    if (keep)
        return;
    LIST_FOR_EACH(&registry->vms, link)
        vm_stop(LIST_ENTRY(link, struct vm, link), GUEST_END_STOPPED, NULL);
}

void registry_settings_changed(struct registry *registry)
{
    registry_retire(registry, registry->setup.limits->retain);
    worker_pool_settings_changed(registry->pool);
}

void registry_observe(struct registry *registry, struct vm_observer *observer)
{
    list_append(&registry->observers, &observer->link);
}

void registry_on_counts(struct registry *registry, void (*fn)(void *context), void *context)
{
    registry->on_counts = fn;
    registry->on_counts_context = context;
}

/* One mapping in place of many: each page that is touched becomes one of its own, and of those a
 * process may have so many (vm.max_map_count) and then none for anybody. */
static void blank_rest(struct registry *registry, struct vm *vm, uintptr_t address)
{
    _cleanup_close_ int fd = vm_file_open(registry->directory.fd, vm->record.id);
    struct stat st = { .st_size = INT64_MAX };

    if (fd >= 0)
        (void)fstat(fd, &st);
    vm_file_blank_rest(vm->file, address, (uint64_t)st.st_size);
}

void registry_handle_cut_file(struct registry *registry, uintptr_t address)
{
    LIST_FOR_EACH(&registry->vms, link) {
        struct vm *vm = LIST_ENTRY(link, struct vm, link);
        uintptr_t start = vm->file ? (uintptr_t)vm->file->map : 0;

        if (!vm->file || address < start || address - start >= vm->file->map_size)
            continue;
        blank_rest(registry, vm, address);
        if (!vm->file_is_cut)
            log_vm_line(LOG_LEVEL_ERROR, vm->record.id, vm->record.name,
                        "somebody cut its state file short; what was there is lost");
        vm->file_is_cut = true;
        vm_give_up(vm, "somebody cut its state file short");
        return;
    }
}

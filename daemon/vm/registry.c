#include "vm/registry.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/work_queue.h"
#include "vm/state_dir.h"

/* How often VMs are looked at for output that made no exit: it is seen within 50 ms. */
#define TICK_US 20000

/* Bytes; they are the host's only once the guest touches them. */
#define KERNEL_MEMORY (UINT64_C(128) * 1024 * 1024)

/* Ended VMs whose threads are still busy taking the machine down; a moment each. */
#define TEARDOWN_MAX 256

struct registry {
    struct event_base *base;
    const struct kvm_host *host;
    const struct vm_limits *limits;
    struct work_queue *queue;
    struct doorbell *doorbell;
    struct event *tick; /* runs while a VM is live */
    struct state_dir directory;
    bool shutting_down;

    struct list vms;       /* all listed, by id */
    struct list ended;     /* those in a terminal state, oldest end first */
    void *by_id;           /* tsearch(3) tree of all listed */
    void *by_name;         /* of the live ones */
    struct list observers; /* of all VMs */
    struct registry_counts counts;
    void (*on_counts)(void *context);
    void *on_counts_context;
};

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = ((const struct vm *)a)->record.id, right = ((const struct vm *)b)->record.id;

    return left < right ? -1 : left > right;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct vm *)a)->record.name, ((const struct vm *)b)->record.name);
}

static struct vm *find_live_name(const struct registry *registry, const char *name)
{
    struct vm key = { 0 };
    struct vm **node;

    if (strlen(name) >= sizeof(key.record.name))
        return NULL;
    strcpy(key.record.name, name);
    node = tfind(&key, &registry->by_name, compare_names);
    return node ? *node : NULL;
}

static void counts_changed(struct registry *registry)
{
    if (registry->on_counts)
        registry->on_counts(registry->on_counts_context);
}

/* VMs in and out of the registry. */

static struct vm *new_vm(struct registry *registry)
{
    struct vm *vm = calloc(1, sizeof(*vm));

    if (!vm)
        return NULL;
    vm->registry = registry;
    vm->host = registry->host;
    vm->directory_fd = registry->directory.fd;
    vm->doorbell = registry->doorbell;
    vm->config = VM_CONFIG_NONE;
    vm->references = 1;
    list_init(&vm->link);
    list_init(&vm->ended_link);
    list_init(&vm->observers);
    return vm;
}

/* Whether there was memory for it. */
static bool list_vm(struct registry *registry, struct vm *vm)
{
    if (!tsearch(vm, &registry->by_id, compare_ids))
        return false;
    list_append(&registry->vms, &vm->link);
    return true;
}

static void add_ended(struct registry *registry, struct vm *vm)
{
    list_append(&registry->ended, &vm->ended_link);
    registry->counts.ended++;
}

static void forget(struct registry *registry, struct vm *vm)
{
    assert(vm_state_is_terminal(vm->state) && !vm->removed);
    tdelete(vm, &registry->by_id, compare_ids);
    list_remove(&vm->link);
    list_remove(&vm->ended_link);
    registry->counts.ended--;
    vm->removed = true;
    state_dir_remove(&registry->directory, vm->record.id);
    vm_unref(vm); /* the registry's */
    counts_changed(registry);
}

static struct vm *oldest_ended(const struct registry *registry)
{
    return LIST_ENTRY(registry->ended.next, struct vm, ended_link);
}

static void retire_down_to(struct registry *registry, size_t count)
{
    while (registry->counts.ended > count)
        forget(registry, oldest_ended(registry));
}

/* What earlier daemons left. */

/* It was live when its daemon ended: what is known of it is what is in the file. */
static int mark_lost(int fd, const struct vm_file *file, struct vm_record *record)
{
    record->ended_ns = clock_realtime_ns();
    record->uptime_ns = counter_get(&file->stats->guest_ns) + counter_get(&file->stats->vmm_ns);
    record->end = (struct guest_end){ 0 };
    guest_end_set(&record->end, GUEST_END_DAEMON_LOST, 0,
                  "vmmd ended while this VM was %s; its output is kept up to byte %" PRIu64,
                  vm_state_to_string(vm_file_state(file)), output_ring_end(&file->ring));
    return vm_file_write_end(fd, record, VM_LOST);
}

/* Lists what the file of an earlier daemon tells. Takes file. */
static int list_file(struct registry *registry, struct vm_file *file,
                     const struct vm_record *record)
{
    struct vm *vm = new_vm(registry);

    if (!vm) {
        vm_file_free(file);
        return -ENOMEM;
    }
    vm->file = file;
    vm->file_ready = true;
    vm->record = *record;
    vm->state = vm_file_state(file);
    if (!list_vm(registry, vm)) {
        vm_free(vm);
        return -ENOMEM;
    }
    add_ended(registry, vm);
    return 0;
}

/* *ret_lost: whether the VM was live when its daemon ended. */
static int load_file(struct registry *registry, int fd, uint64_t id, bool *ret_lost,
                     struct error *err)
{
    struct vm_record record;
    struct vm_file *file;
    bool lost;
    int r;

    r = vm_file_view(fd, id, &file, err);
    if (r < 0)
        return r;
    r = vm_file_read_record(file, id, &record);
    lost = r == 0 && !vm_state_is_terminal(vm_file_state(file));
    if (lost)
        r = mark_lost(fd, file, &record);
    if (r < 0) {
        vm_file_free(file);
        return error_set(err, r, "%s", strerror(-r));
    }
    r = list_file(registry, file, &record);
    if (r == 0)
        *ret_lost = lost;
    return r < 0 ? error_set(err, r, "%s", strerror(-r)) : 0;
}

/* Whether the VM was live when its daemon ended. */
static bool load_vm(struct registry *registry, uint64_t id)
{
    _cleanup_close_ int fd = vm_file_open(registry->directory.fd, id);
    struct error err;
    bool lost = false;
    int r;

    if (fd < 0)
        r = error_set(&err, fd, "%s", strerror(-fd));
    else
        r = load_file(registry, fd, id, &lost, &err);
    if (r == -ENODATA) /* its start was never answered: there is nobody who could ask for it */
        vm_file_remove(registry->directory.fd, id);
    else if (r < 0)
        log_warning("cannot use '%" PRIu64 ".vm' in the state directory: %s, ignoring it", id,
                    err.text);
    return lost;
}

static int load_all(struct registry *registry, struct error *err)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count, lost = 0;
    int r;

    r = state_dir_read_ids(&registry->directory, &ids, &count, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        lost += load_vm(registry, ids[i]);
    /* however many were lost at once, each of them is listed */
    retire_down_to(registry, registry->limits->retain + lost);
    if (count > 0)
        log_info("%zu VMs of earlier daemons are listed", registry->counts.ended);
    return 0;
}

/* The registry itself. */

static void on_news(struct doorbell_button *button, unsigned news)
{
    vm_handle_news(LIST_ENTRY(button, struct vm, button), news);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct registry *registry = context;

    (void)fd, (void)what;
    LIST_FOR_EACH(&registry->vms, link)
        vm_tick(LIST_ENTRY(link, struct vm, link));
    doorbell_answer(registry->doorbell);
}

int registry_new(struct event_base *base, const struct kvm_host *host,
                 const struct vm_limits *limits, struct work_queue *queue, const char *state_dir,
                 struct registry **ret, struct error *err)
{
    struct registry *registry = calloc(1, sizeof(*registry));
    int r;

    if (!registry)
        return error_set(err, -ENOMEM, "out of memory");
    registry->base = base;
    registry->host = host;
    registry->limits = limits;
    registry->queue = queue;
    registry->directory = STATE_DIR_NONE;
    list_init(&registry->vms);
    list_init(&registry->ended);
    list_init(&registry->observers);

    r = doorbell_new(base, on_news, &registry->doorbell);
    registry->tick = event_new(base, -1, EV_PERSIST, on_tick, registry);
    if (r < 0 || !registry->tick)
        r = error_set(err, -ENOMEM, "cannot make the daemon's events");
    if (r == 0)
        r = state_dir_open(&registry->directory, state_dir, queue, err);
    if (r == 0)
        r = load_all(registry, err);
    if (r < 0) {
        registry_free(registry);
        return r;
    }
    *ret = registry;
    return 0;
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    assert(registry->counts.threads == 0);
    LIST_FOR_EACH(&registry->vms, link) {
        struct vm *vm = LIST_ENTRY(link, struct vm, link);

        tdelete(vm, &registry->by_id, compare_ids);
        vm_free(vm);
    }
    if (registry->tick)
        event_free(registry->tick);
    doorbell_free(registry->doorbell);
    state_dir_close(&registry->directory);
    free(registry);
}

/* Starting. */

static bool only_digits(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

static bool name_is_valid(const char *name)
{
    static const char more[] = "_.-";
    size_t length = strlen(name);

    if (length == 0 || length > VM_NAME_MAX || !isalnum((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isascii((unsigned char)name[i]) ||
            (!isalnum((unsigned char)name[i]) && !strchr(more, name[i])))
            return false;
    return !only_digits(name);
}

static int check_name(struct registry *registry, const char *name, struct error *err)
{
    const struct vm *taken;

    if (!name_is_valid(name))
        return error_set_about(
            err, "name", -EINVAL,
            "name '%s' is not one a VM can have: letters, digits, '_', '.' and '-', a "
            "letter or digit first, at most %d, and not digits only",
            name, VM_NAME_MAX);
    taken = find_live_name(registry, name);
    if (taken)
        return error_set_about(err, "name", -EEXIST, "VM %" PRIu64 " is %s and has the name '%s'",
                               taken->record.id, vm_state_to_string(taken->state), name);
    return 0;
}

static int check_limit(const char *what, uint64_t value, const char *setting, uint64_t max,
                       struct error *err)
{
    if (value <= max)
        return 0;
    return error_set_about(err, what, -EDQUOT,
                           "%s of %" PRIu64 " bytes is more than the %" PRIu64
                           " that the setting '%s' allows",
                           what, value, max, setting);
}

static bool has_path(const struct vm_config *config)
{
    bool has = config->image.path || config->initrd.path;

    for (size_t i = 0; i < config->module_count; i++)
        has = has || config->modules[i].path;
    return has;
}

static int settle_images(const struct registry *registry, struct vm_config *config,
                         struct error *err)
{
    if (!has_path(config))
        return 0;
    if (!registry->limits->image_dir)
        return error_set_about(err, "image", -EINVAL,
                               "no image directory is configured (setting 'image-dir'): pass the "
                               "image itself, as a descriptor or as data");
    config->image_directory = strdup(registry->limits->image_dir);
    return config->image_directory ? 0 : error_set(err, -ENOMEM, "out of memory");
}

/* What a kernel gets that asks for no memory: what it would have in QEMU, as far as it may. */
static uint64_t kernel_memory(const struct vm_limits *limits)
{
    uint64_t usual = limits->max_memory < KERNEL_MEMORY ? limits->max_memory : KERNEL_MEMORY;

    return limits->memory > usual ? limits->memory : usual;
}

/* Fills in what was left out, and holds the rest against the limits. */
static int settle_config(struct registry *registry, struct vm_config *config, struct error *err)
{
    const struct vm_limits *limits = registry->limits;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t ring = OUTPUT_RING_CAPACITY_MIN;
    int r;

    if (registry->counts.live >= limits->max_vms)
        return error_set(
            err, -EDQUOT,
            "%zu VMs are live, as many as the setting 'max-vms' allows; stop one first",
            registry->counts.live);
    if (registry->counts.threads >= limits->max_vms + TEARDOWN_MAX)
        return error_set(err, -EDQUOT, "%zu VMs are still being taken down; try again shortly",
                         registry->counts.threads - registry->counts.live);
    config->kernel_memory_bytes = config->memory_bytes;
    if (config->memory_bytes == 0) {
        config->memory_bytes = limits->memory;
        config->kernel_memory_bytes = kernel_memory(limits);
    }
    if (config->ring_capacity == 0)
        config->ring_capacity = limits->ring;
    r = check_limit("memory", config->memory_bytes, "max-memory", limits->max_memory, err);
    if (r == 0)
        r = check_limit("ring", config->ring_capacity, "max-ring", limits->max_ring, err);
    if (r < 0)
        return r;

    config->memory_bytes = (config->memory_bytes + page - 1) / page * page;
    config->kernel_memory_bytes = (config->kernel_memory_bytes + page - 1) / page * page;
    while (ring < config->ring_capacity)
        ring *= 2;
    config->ring_capacity = ring;
    return settle_images(registry, config, err);
}

/* "vmID", or, where a live VM was given just that name, "vmID.2" and so on. */
static void give_name(struct registry *registry, struct vm_record *record)
{
    snprintf(record->name, sizeof(record->name), "vm%" PRIu64, record->id);
    for (unsigned n = 2; find_live_name(registry, record->name); n++)
        snprintf(record->name, sizeof(record->name), "vm%" PRIu64 ".%u", record->id, n);
}

static void fill_record(struct registry *registry, struct vm *vm, const struct vm_peer *owner,
                        uint64_t id)
{
    struct vm_record *record = &vm->record;

    record->id = id;
    if (vm->config.named)
        snprintf(record->name, sizeof(record->name), "%s", vm->config.name);
    else
        give_name(registry, record);
    snprintf(record->image, sizeof(record->image), "%s", vm->config.image.name);
    /* until the image tells */
    snprintf(record->machine.format, sizeof(record->machine.format), "%s",
             image_format_to_string(vm->config.format));
    snprintf(record->machine.mode, sizeof(record->machine.mode), "auto");
    snprintf(record->machine.machine, sizeof(record->machine.machine), "auto");
    record->cpus = vm->config.cpus;
    record->machine.memory_bytes = vm->config.memory_bytes;
    record->created_ns = clock_realtime_ns();
    record->owner = *owner;
}

static void start_tick(struct registry *registry)
{
    static const struct timeval period = { .tv_usec = TICK_US };

    if (registry->counts.live++ == 0)
        event_add(registry->tick, &period);
}

static void unlist_name(struct registry *registry, struct vm *vm)
{
    tdelete(vm, &registry->by_name, compare_names);
}

/* Lists the VM as live and starts its thread, or leaves nothing behind. */
static int launch(struct registry *registry, struct vm *vm, struct error *err)
{
    int r;

    if (!list_vm(registry, vm))
        return error_set(err, -ENOMEM, "out of memory");
    if (!tsearch(vm, &registry->by_name, compare_names)) {
        r = error_set(err, -ENOMEM, "out of memory");
    } else {
        r = vm_spawn(vm, err);
        if (r == 0)
            return 0;
        unlist_name(registry, vm);
    }
    tdelete(vm, &registry->by_id, compare_ids);
    list_remove(&vm->link);
    return r;
}

static int make_kicks(struct vm *vm, struct error *err)
{
    vm->kicks = calloc(vm->config.cpus, sizeof(*vm->kicks));
    if (!vm->kicks)
        return error_set(err, -ENOMEM, "out of memory");
    for (unsigned i = 0; i < vm->config.cpus; i++)
        vcpu_kick_init(&vm->kicks[i]);
    return 0;
}

int registry_start_vm(struct registry *registry, struct vm_config *config,
                      const struct vm_peer *owner, struct vm **ret, struct error *err)
{
    struct vm *vm;
    uint64_t id;
    int r;

    if (registry->shutting_down)
        return error_set(err, -ESHUTDOWN, "vmmd is shutting down");
    r = config->named ? check_name(registry, config->name, err) : 0;
    if (r == 0)
        r = settle_config(registry, config, err);
    if (r == 0)
        r = state_dir_take_id(&registry->directory, &id, err);
    if (r < 0)
        return r;

    vm = new_vm(registry);
    if (!vm)
        return error_set(err, -ENOMEM, "out of memory");
    vm->config = *config;
    *config = VM_CONFIG_NONE;
    fill_record(registry, vm, owner, id);
    r = make_kicks(vm, err);
    if (r == 0)
        r = launch(registry, vm, err);
    if (r < 0) {
        vm_free(vm);
        return r;
    }
    registry->counts.threads++;
    start_tick(registry);
    registry_vm_changed(registry, vm);
    counts_changed(registry);
    *ret = vm;
    return 0;
}

/* Finding. */

struct vm *registry_find_id(const struct registry *registry, uint64_t id)
{
    struct vm key = { .record = { .id = id } };
    struct vm **node = tfind(&key, &registry->by_id, compare_ids);

    return node ? *node : NULL;
}

struct vm *registry_find(const struct registry *registry, const char *text)
{
    struct vm *vm;

    if (only_digits(text))
        return registry_find_id(registry, strtoull(text, NULL, 10));
    vm = find_live_name(registry, text);
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

struct event_base *registry_base(const struct registry *registry)
{
    return registry->base;
}

/* Ending. */

int registry_remove(struct registry *registry, struct vm *vm, struct error *err)
{
    if (!vm_state_is_terminal(vm->state))
        return error_set(err, -EBUSY, "VM '%s' is %s; stop it before you remove it",
                         vm->record.name, vm_state_to_string(vm->state));
    forget(registry, vm);
    return 0;
}

void registry_shut_down(struct registry *registry, const struct vm_peer *by)
{
    registry->shutting_down = true;
    LIST_FOR_EACH(&registry->vms, link)
        vm_stop(LIST_ENTRY(link, struct vm, link), GUEST_END_STOPPED, by);
}

void registry_limits_changed(struct registry *registry)
{
    retire_down_to(registry, registry->limits->retain);
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

void registry_vm_changed(struct registry *registry, struct vm *vm)
{
    vm_observers_notify(&registry->observers, vm, VM_NOTICE_STATE);
    /* one for one, so that those that were lost at once do not go at once */
    if (vm_state_is_terminal(vm->state) && registry->counts.ended > registry->limits->retain)
        forget(registry, oldest_ended(registry));
}

void registry_vm_ended(struct registry *registry, struct vm *vm)
{
    unlist_name(registry, vm);
    add_ended(registry, vm);
    if (--registry->counts.live == 0)
        event_del(registry->tick);
    counts_changed(registry);
}

void registry_thread_gone(struct registry *registry)
{
    registry->counts.threads--;
    counts_changed(registry);
}

static void free_vm(void *argument)
{
    vm_free(argument);
}

void registry_dispose(struct registry *registry, struct vm *vm)
{
    vm->disposal = (struct work_item){ .fn = free_vm, .argument = vm };
    work_queue_submit(registry->queue, &vm->disposal);
}

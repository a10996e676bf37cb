#include "vm/vm.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "util/clock.h"
#include "util/log.h"
#include "vm/registry.h"

/* A VM's thread calls nothing deep: what it needs of stack is a few KiB. */
#define THREAD_STACK_SIZE ((size_t)128 * 1024)

/* How long output may gather before watchers are told of more. */
#define PACE_US 2000

/* How often a guest is asked whether it sleeps for ever. */
#define ASK_NS (200 * CLOCK_NS_PER_MS)

static void release_source(struct vm_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    free(source->path);
    free(source->name);
    free(source->arguments);
    *source = (struct vm_source){ .fd = -1 };
}

void vm_config_deinit(struct vm_config *config)
{
    release_source(&config->image);
    release_source(&config->initrd);
    for (size_t i = 0; i < config->module_count; i++)
        release_source(&config->modules[i]);
    config->module_count = 0;
    free(config->append);
    free(config->image_directory);
    config->append = config->image_directory = NULL;
}

struct vm *vm_ref(struct vm *vm)
{
    vm->references++;
    return vm;
}

void vm_unref(struct vm *vm)
{
    if (--vm->references == 0)
        registry_dispose(vm->registry, vm);
}

void vm_free(struct vm *vm)
{
    vm_file_free(vm->file);
    vm_config_deinit(&vm->config);
    input_queue_free(atomic_load(&vm->input));
    for (unsigned i = 0; vm->kicks && i < vm->config.cpus; i++)
        vcpu_kick_deinit(&vm->kicks[i]);
    free(vm->kicks);
    free(vm);
}

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

static void notify(struct vm *vm, unsigned notice)
{
    vm_ref(vm);
    vm_observers_notify(&vm->observers, vm, notice);
    if (notice & VM_NOTICE_STATE)
        registry_vm_changed(vm->registry, vm);
    vm_unref(vm);
}

static void set_state(struct vm *vm, enum vm_state state)
{
    assert(vm_state_may_become(vm->state, state));
    vm->state = state;
    notify(vm, VM_NOTICE_STATE);
}

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

const struct vm_record *vm_record(const struct vm *vm)
{
    return &vm->record;
}

int vm_start_error(const struct vm *vm)
{
    return vm->outcome.start_error;
}

const char *vm_start_about(const struct vm *vm)
{
    return vm->outcome.start_about;
}

const struct register_dump *vm_paused_at(const struct vm *vm)
{
    return vm->state == VM_PAUSED ? &vm->outcome.stopped : NULL;
}

uint64_t vm_ring_capacity(const struct vm *vm)
{
    return vm->config.ring_capacity;
}

const struct output_ring *vm_ring(const struct vm *vm)
{
    return vm->file_ready && vm->file ? &vm->file->ring : NULL;
}

const struct exit_stats *vm_stats(const struct vm *vm)
{
    return vm->file_ready && vm->file ? vm->file->stats : NULL;
}

const struct vm_file *vm_file(const struct vm *vm)
{
    return vm->file_ready ? vm->file : NULL;
}

static uint64_t paused_ns_at(const struct vm *vm, int64_t now_ns)
{
    return vm->stood_ns + (vm->stands_mono_ns ? (uint64_t)(now_ns - vm->stands_mono_ns) : 0);
}

uint64_t vm_uptime_ns(const struct vm *vm)
{
    int64_t now_ns = clock_monotonic_ns();

    if (vm_state_is_terminal(vm->state) || vm->started_mono_ns == 0)
        return vm->record.uptime_ns;
    return (uint64_t)(now_ns - vm->started_mono_ns) - paused_ns_at(vm, now_ns);
}

uint64_t vm_paused_ns(const struct vm *vm)
{
    if (vm_state_is_terminal(vm->state))
        return vm->record.paused_ns;
    return paused_ns_at(vm, clock_monotonic_ns());
}

/* Output: told at once after a quiet time, else once per pace. */

static void tell_output(struct vm *vm)
{
    static const struct timeval pace = { .tv_usec = PACE_US };

    vm->output_seen = output_ring_end(&vm->file->ring);
    event_add(vm->pace, &pace);
    notify(vm, VM_NOTICE_OUTPUT);
}

/* A pace has passed: tell of what came meanwhile, or else have the next byte ring. */
static void on_pace(evutil_socket_t fd, short what, void *context)
{
    struct vm *vm = context;

    (void)fd, (void)what;
    if (output_ring_end(&vm->file->ring) == vm->output_seen) {
        atomic_store(&vm->output_wanted, true);
        /* written before the guest's thread could see that it is wanted? (seq_cst on both sides) */
        if (output_ring_end(&vm->file->ring) == vm->output_seen)
            return;
        atomic_store(&vm->output_wanted, false);
    }
    tell_output(vm);
}

static void start_watching(struct vm *vm)
{
    if (vm_state_is_terminal(vm->state))
        return;
    if (!vm->pace)
        vm->pace = event_new(registry_base(vm->registry), -1, 0, on_pace, vm);
    if (vm->pace && vm_ring(vm))
        on_pace(-1, 0, vm);
}

void vm_watch_output(struct vm *vm)
{
    if (vm->output_watchers++ == 0)
        start_watching(vm);
}

void vm_unwatch_output(struct vm *vm)
{
    if (--vm->output_watchers > 0)
        return;
    atomic_store(&vm->output_wanted, false);
    if (vm->pace)
        event_del(vm->pace);
}

/* Asking the guest's threads. */

int64_t vm_cpu_ns(const struct vm *vm)
{
    int64_t sum_ns = 0;

    if (!vm->kicks || vm_state_is_terminal(vm->state))
        return -1; /* its threads may be there yet, taking it down: that is not its time */
    for (unsigned i = 0; i < vm->config.cpus; i++) {
        int64_t ns = vcpu_kick_cpu_ns(&vm->kicks[i]);

        if (ns < 0)
            return -1;
        sum_ns += ns;
    }
    return sum_ns;
}

static void kick_all(struct vm *vm)
{
    for (unsigned i = 0; i < vm->config.cpus; i++)
        vcpu_kick(&vm->kicks[i]);
}

void vm_stop(struct vm *vm, enum guest_end_reason reason, const struct vm_peer *by)
{
    if (vm->state == VM_STOPPING || vm_state_is_terminal(vm->state))
        return;
    vm->stop_as = reason;
    vm->stopped_by = *by;
    atomic_store(&vm->end_request, 1);
    kick_all(vm);
    set_state(vm, VM_STOPPING);
}

/* Pausing: one wish at a time is under way, and carried out; then comes the last of those that were
 * uttered meanwhile. */

static bool pause_is_requested(const struct vm *vm)
{
    return atomic_load(&vm->pause_request) & 1;
}

static void steer(struct vm *vm)
{
    bool paused = vm->state == VM_PAUSED;

    if ((!paused && vm->state != VM_RUNNING) || pause_is_requested(vm) != paused ||
        vm->pause_wanted == paused)
        return;
    atomic_fetch_add(&vm->pause_request, 1);
    kick_all(vm);
}

static int want_pause(struct vm *vm, bool wanted, const char *what, struct error *err)
{
    if (vm->state != VM_RUNNING && vm->state != VM_PAUSED)
        return error_set(err, -EBUSY, "VM '%s' is %s; only one that is running or paused can be %s",
                         vm->record.name, vm_state_to_string(vm->state), what);
    vm->pause_wanted = wanted;
    steer(vm);
    return 0;
}

int vm_pause(struct vm *vm, struct error *err)
{
    return want_pause(vm, true, "paused", err);
}

int vm_resume(struct vm *vm, struct error *err)
{
    return want_pause(vm, false, "resumed", err);
}

bool vm_pause_is_over(const struct vm *vm)
{
    if (vm->state == VM_PAUSED)
        return pause_is_requested(vm); /* or else it is about to go on, from a pause before */
    return vm->state != VM_RUNNING || !vm->pause_wanted;
}

bool vm_resume_is_over(const struct vm *vm)
{
    if (vm->state == VM_RUNNING)
        return !pause_is_requested(vm); /* or else it is about to stand still */
    return vm->state != VM_PAUSED || vm->pause_wanted;
}

/* Input. */

const struct input_queue *vm_input_queue(const struct vm *vm)
{
    return atomic_load(&vm->input);
}

int vm_input(struct vm *vm, const void *data, size_t size, bool eof, size_t *ret_taken,
             struct error *err)
{
    struct input_queue *queue = atomic_load(&vm->input);

    if (vm_state_is_terminal(vm->state))
        return error_set(err, -EBUSY, "VM '%s' has ended: nobody is there to read",
                         vm->record.name);
    if (!queue) {
        queue = input_queue_new();
        if (!queue)
            return error_set(err, -ENOMEM, "no memory for input");
        atomic_store(&vm->input, queue);
    }
    if (input_queue_is_closed(queue))
        return error_set(err, -EBUSY, "the input of VM '%s' has ended", vm->record.name);
    *ret_taken = input_queue_put(queue, data, size);
    if (eof && *ret_taken == size)
        input_queue_close(queue);
    atomic_store(&vm->input_news, true);
    kick_all(vm);
    return 0;
}

void vm_want_room(struct vm *vm)
{
    struct input_queue *queue = atomic_load(&vm->input);

    atomic_store(&vm->input_wanted, true);
    /* read before the guest's thread could see that it is wanted? (seq_cst on both sides) */
    if (queue && input_queue_length(queue) < INPUT_QUEUE_CAPACITY &&
        atomic_exchange(&vm->input_wanted, false))
        doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_ROOM);
}

/* Timeouts. */

static void on_timeout(evutil_socket_t fd, short what, void *context)
{
    static const struct vm_peer nobody;

    (void)fd, (void)what;
    vm_stop(context, GUEST_END_TIMEOUT, &nobody);
}

/* What is left of it, where the guest has run for a while already. */
static void start_timeout(struct vm *vm)
{
    uint64_t run_us = vm_uptime_ns(vm) / 1000, all_us, left_us;
    struct timeval delay;

    if (vm->config.timeout_ms == 0)
        return;
    all_us = vm->config.timeout_ms < UINT64_MAX / 1000 ? vm->config.timeout_ms * 1000 : UINT64_MAX;
    left_us = run_us < all_us ? all_us - run_us : 0;
    delay = (struct timeval){ .tv_sec = (time_t)(left_us / 1000000),
                              .tv_usec = (suseconds_t)(left_us % 1000000) };
    if (!vm->timeout)
        vm->timeout = event_new(registry_base(vm->registry), -1, 0, on_timeout, vm);
    /* libevent counts from the time at which this turn of the loop began: never to be early */
    event_base_update_cache_time(registry_base(vm->registry));
    if (!vm->timeout || event_add(vm->timeout, &delay) < 0)
        log_vm_line(LOG_LEVEL_WARNING, vm->record.id, vm->record.name,
                    "no memory for its timeout, going on without");
}

/* Where it is KVM that waits when the guest does, it would wait for ever for one that has disabled
 * interrupts. A kick lets the vCPUs see that. */
static bool is_to_be_asked(struct vm *vm)
{
    int64_t now_ns = clock_monotonic_ns();

    if (!vm->record.machine.waits_in_kvm || now_ns - vm->asked_mono_ns < ASK_NS)
        return false;
    vm->asked_mono_ns = now_ns;
    return true;
}

void vm_tick(struct vm *vm)
{
    bool paused = vm->state == VM_PAUSED;

    if (vm_state_is_terminal(vm->state))
        return;
    /* the first kick may have found the vCPU just coming */
    if (atomic_load(&vm->end_request) || pause_is_requested(vm) != paused ||
        (!paused && (atomic_load(&vm->input_news) || is_to_be_asked(vm))))
        kick_all(vm);
    else
        vcpu_kick_if_undrained(&vm->kicks[0]);
}

/* News. */

static void handle_running(struct vm *vm)
{
    vm->file_ready = true;
    vm->record.started_ns = vm->outcome.started_ns;
    vm->record.machine = vm->outcome.machine;
    vm->started_mono_ns = clock_monotonic_ns();
    start_timeout(vm);
    if (vm->state == VM_STARTING)
        set_state(vm, VM_RUNNING);
    if (vm->output_watchers > 0)
        start_watching(vm);
}

/* While it stands still, its time does. */
static void handle_stands(struct vm *vm)
{
    vm->stands_mono_ns = clock_monotonic_ns();
    if (vm->timeout)
        event_del(vm->timeout);
    if (vm->state == VM_RUNNING)
        set_state(vm, VM_PAUSED);
    steer(vm);
}

static void handle_goes_on(struct vm *vm)
{
    vm->stood_ns = vm_paused_ns(vm);
    vm->stands_mono_ns = 0;
    if (vm->state != VM_PAUSED)
        return;
    start_timeout(vm);
    set_state(vm, VM_RUNNING);
    steer(vm);
}

static void drop_events(struct vm *vm)
{
    if (vm->timeout)
        event_free(vm->timeout);
    if (vm->pace)
        event_free(vm->pace);
    vm->timeout = vm->pace = NULL;
}

static void log_end(const struct vm *vm)
{
    enum log_level level = vm->state == VM_FAILED ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;

    log_vm_line(level, vm->record.id, vm->record.name, "%s: %s",
                guest_end_reason_to_string(vm->record.end.reason), vm->record.end.message);
}

static void handle_ended(struct vm *vm)
{
    vm->file_ready = true;
    drop_events(vm);
    vm->record.ended_ns = vm->outcome.ended_ns;
    vm->record.uptime_ns = vm->outcome.uptime_ns;
    vm->record.paused_ns = vm->outcome.paused_ns;
    vm->record.machine = vm->outcome.machine;
    vm->record.end = vm->outcome.end;
    vm->record.stopped_by = vm->stopped_by;
    registry_vm_ended(vm->registry, vm);
    set_state(vm, vm->outcome.end.reason == GUEST_END_ERROR ? VM_FAILED : VM_EXITED);
    log_end(vm);
}

void vm_handle_news(struct vm *vm, unsigned news)
{
    vm_ref(vm);
    if (news & VM_NEWS_RUNNING)
        handle_running(vm);
    if (news & VM_NEWS_STANDS)
        handle_stands(vm);
    if (news & VM_NEWS_GOES_ON)
        handle_goes_on(vm);
    if (news & VM_NEWS_ROOM)
        notify(vm, VM_NOTICE_ROOM);
    if (news & VM_NEWS_OUTPUT && vm->pace && vm->output_watchers > 0)
        tell_output(vm);
    if (news & VM_NEWS_ENDED)
        handle_ended(vm);
    if (news & VM_NEWS_GONE) {
        registry_thread_gone(vm->registry);
        vm_unref(vm); /* the thread's */
    }
    vm_unref(vm);
}

int vm_spawn(struct vm *vm, struct error *err)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t mask;
    int r;

    sigfillset(&mask);
    sigdelset(&mask, vcpu_kick_signal());
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
    pthread_attr_setsigmask_np(&attributes, &mask);

    vm_ref(vm);
    r = pthread_create(&thread, &attributes, vm_thread_main, vm);
    pthread_attr_destroy(&attributes);
    if (r != 0) {
        vm->references--;
        return error_set(err, -EAGAIN, "cannot start a thread for the VM: %s", strerror(r));
    }
    return 0;
}

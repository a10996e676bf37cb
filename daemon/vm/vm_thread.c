/*
 * The VM's thread: makes the guest's machine, runs it, tells the loop, takes it down.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "board/board.h"
#include "kvm/arch.h"
#include "kvm/machine.h"
#include "util/clock.h"
#include "util/schedule.h"
#include "vm/poll_brake.h"
#include "vm/sources.h"
#include "vm/vm.h"

/* What only the guest's threads touch. */
struct guest {
    struct vm *vm;
    struct machine machine;
    bool machine_ready;
    struct console console;
    struct poll_brake brake;
    struct board *board;
};

/* The console: output into the ring; the loop is woken only if it said that it waits. */
static void append_output(void *context, const void *data, size_t size)
{
    struct guest *guest = context;
    struct vm *vm = guest->vm;

    poll_brake_release(&guest->brake);
    output_ring_append(&vm->file->ring, data, size);
    if (atomic_load(&vm->output_wanted) && atomic_exchange(&vm->output_wanted, false))
        doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_OUTPUT);
}

static size_t take_input(void *context, void *data, size_t size)
{
    struct guest *guest = context;
    struct vm *vm = guest->vm;
    struct input_queue *queue = atomic_load(&vm->input);
    size_t n = queue ? input_queue_take(queue, data, size) : 0;

    if (n == 0)
        return 0;
    poll_brake_release(&guest->brake);
    if (atomic_load(&vm->input_wanted) && atomic_exchange(&vm->input_wanted, false))
        doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_ROOM);
    return n;
}

static bool input_ended(void *context)
{
    struct guest *guest = context;
    struct input_queue *queue = atomic_load(&guest->vm->input);

    return queue && input_queue_is_at_end(queue);
}

static void brake_polling(void *context)
{
    struct guest *guest = context;
    uint64_t nap_ns = poll_brake_poll(&guest->brake, clock_thread_ns());

    if (nap_ns > 0 && !input_ended(guest))
        machine_nap(&guest->machine, nap_ns);
}

/* The machine's owner. */

static void on_kicked(void *context)
{
    struct guest *guest = context;

    if (atomic_exchange(&guest->vm->input_news, false))
        board_receive(guest->board);
}

static void on_exited(void *context)
{
    struct guest *guest = context;

    board_drain(guest->board);
}

static void on_stands(void *context)
{
    struct guest *guest = context;
    struct vm *vm = guest->vm;

    vm->outcome.stopped = guest->machine.stopped;
    atomic_store(vm->file->state, (uint32_t)VM_PAUSED);
    doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_STANDS);
}

static void on_goes_on(void *context)
{
    struct guest *guest = context;
    struct vm *vm = guest->vm;

    atomic_store(vm->file->state, (uint32_t)VM_RUNNING);
    doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_GOES_ON);
}

/* Making. */

static int choose_board(const struct vm *vm, const struct image_kind *kind, enum board_kind *ret,
                        struct error *err)
{
    enum board_kind fitting = kind->kernel ? board_of_kernels : BOARD_BARE;
    enum board_kind board = vm->config.board_given ? vm->config.board : fitting;

    if (board != BOARD_BARE && board != board_of_kernels)
        return error_set_about(
            err, "machine", -EINVAL, "there is no machine '%s' for %s guests; theirs is '%s'",
            board_kind_to_string(board), arch_name, board_kind_to_string(board_of_kernels));
    *ret = board;
    return 0;
}

static int make_machine(struct vm *vm, struct guest *guest, enum board_kind board,
                        struct error *err)
{
    const struct machine_config config = {
        .memory_bytes = vm->outcome.machine.memory_bytes,
        .cpus = vm->config.cpus,
        .interrupts = board != BOARD_BARE,
    };
    const struct machine_owner owner = {
        .end = &vm->end_request,
        .pause = &vm->pause_request,
        .kicked = on_kicked,
        .exited = on_exited,
        .stands = on_stands,
        .goes_on = on_goes_on,
        .context = guest,
    };
    int r;

    if (config.cpus > 1 && board == BOARD_BARE)
        return error_set_about(err, "cpus", -EINVAL, "%u CPUs need machine '%s'; 'bare' has one",
                               config.cpus, board_kind_to_string(board_of_kernels));
    r = machine_init(&guest->machine, vm->host, &config, &owner, vm->file->stats, vm->kicks, err);
    guest->machine_ready = r == 0;
    return r;
}

/* wanted: what the image has a say in. */
static int make_board(struct vm *vm, struct guest *guest, const struct board_config *wanted,
                      struct error *err)
{
    struct board_config config = *wanted;

    config.coalesce = vm->config.coalesce;
    config.console = &guest->console;
    config.post = vm->file->post;
    config.ring_note = vm->file->ring_note;
    config.vm_id = vm->record.id;
    config.vm_name = vm->record.name;
    guest->console = (struct console){
        .write = append_output,
        .read = take_input,
        .ended = input_ended,
        .starved = brake_polling,
        .context = guest,
    };
    return board_new(&guest->machine, &config, &guest->board, err);
}

static void describe(struct vm *vm, const struct image_kind *kind, const struct boot *boot,
                     enum board_kind board)
{
    struct vm_machine_record *machine = &vm->outcome.machine;

    snprintf(machine->format, sizeof(machine->format), "%s", image_format_to_string(kind->format));
    snprintf(machine->machine, sizeof(machine->machine), "%s", board_kind_to_string(board));
    snprintf(machine->note, sizeof(machine->note), "%s", kind->note);
    if (boot)
        snprintf(machine->mode, sizeof(machine->mode), "%s", boot_mode_to_string(boot->mode));
}

static int make_guest_of(struct vm *vm, struct guest *guest, const struct image_request *request,
                         struct error *err)
{
    struct image_kind kind;
    struct board_config wanted;
    enum board_kind board = BOARD_BARE;
    struct boot boot;
    int r;

    vm->outcome.machine.image_size = request->image.size;
    r = image_recognise(request, &kind, err);
    if (r == 0)
        r = choose_board(vm, &kind, &board, err);
    if (r < 0)
        return r;
    if (kind.format != IMAGE_FLAT && kind.format != IMAGE_ROM)
        vm->outcome.machine.memory_bytes = vm->config.kernel_memory_bytes;
    describe(vm, &kind, NULL, board);
    r = make_machine(vm, guest, board, err);
    if (r == 0)
        r = image_load(request, kind.format, &guest->machine.memory, &boot, err);
    if (r < 0)
        return r;
    describe(vm, &kind, &boot, board);
    vm->outcome.machine.waits_in_kvm = arch_waits_in_kvm(&guest->machine.config);
    wanted = (struct board_config){
        .kind = board,
        .firmware = kind.format == IMAGE_ROM,
        .boot = &boot,
        .command_line = request->append,
    };
    r = make_board(vm, guest, &wanted, err);
    return r < 0 ? r : machine_boot(&guest->machine, &boot, err);
}

static int make_file(struct vm *vm, struct error *err)
{
    int r = vm_file_make(vm->directory_fd, vm->record.id);

    if (r < 0)
        return error_set(err, -EIO, "cannot create the VM's state file: %s", strerror(-r));
    r = vm_file_fill(r, &vm->record, vm->config.ring_capacity, &vm->file, err);
    if (r < 0)
        vm_file_remove(vm->directory_fd, vm->record.id);
    return r;
}

static int make_guest(struct vm *vm, struct guest *guest, struct error *err)
{
    struct sources sources;
    int r;

    vm->outcome.machine = vm->record.machine;
    r = make_file(vm, err);
    if (r < 0)
        return r;
    r = sources_open(&sources, &vm->config, err);
    if (r == 0)
        r = make_guest_of(vm, guest, &sources.request, err);
    sources_close(&sources);
    return r;
}

static void run_guest(struct vm *vm, struct guest *guest)
{
    int64_t started = clock_monotonic_ns();

    vm->outcome.started_ns = clock_realtime_ns();
    vm->file->record->started_ns = vm->outcome.started_ns;
    vm->file->record->machine = vm->outcome.machine;
    atomic_store(vm->file->state, (uint32_t)VM_RUNNING);
    doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_RUNNING);
    schedule_background();

    machine_run(&guest->machine, vm->kicks);
    board_drain(guest->board);
    vm->outcome.paused_ns = guest->machine.stood_ns;
    vm->outcome.uptime_ns = (uint64_t)(clock_monotonic_ns() - started) - vm->outcome.paused_ns;
    vm->outcome.end = guest->machine.end;
}

/* The guest had no end of its own: it was asked to. */
static void end_as_asked(struct vm *vm)
{
    struct guest_end *end = &vm->outcome.end;

    if (vm->stop_as == GUEST_END_TIMEOUT)
        guest_end_set(end, GUEST_END_TIMEOUT, 0,
                      "it ran for longer than its timeout of %" PRIu64 " ms",
                      vm->config.timeout_ms);
    else if (vm->stopped_by.pid == getpid())
        guest_end_set(end, vm->stop_as, 0, "vmmd was shutting down");
    else
        guest_end_set(end, vm->stop_as, 0, "uid %" PRIu32 " (pid %" PRId32 ") %s it",
                      vm->stopped_by.uid, vm->stopped_by.pid,
                      guest_end_reason_to_string(vm->stop_as));
}

/* What the next daemon is to know, should this one not be there to tell. */
static void record_outcome(struct vm *vm)
{
    struct vm_record *record = vm->file->record;
    bool failed = vm->outcome.end.reason == GUEST_END_ERROR;

    record->ended_ns = vm->outcome.ended_ns;
    record->uptime_ns = vm->outcome.uptime_ns;
    record->paused_ns = vm->outcome.paused_ns;
    record->machine = vm->outcome.machine;
    record->end = vm->outcome.end;
    if (vm->outcome.end.reason == GUEST_END_STOPPED || vm->outcome.end.reason == GUEST_END_KILLED)
        record->stopped_by = vm->stopped_by;
    atomic_store(vm->file->state, (uint32_t)(failed ? VM_FAILED : VM_EXITED));
}

void *vm_thread_main(void *argument)
{
    struct vm *vm = argument;
    struct guest guest = { .vm = vm };
    struct error err = { 0 };
    int r;

    r = make_guest(vm, &guest, &err);
    vm_config_deinit(&vm->config); /* what is loaded is loaded: no descriptor is kept */
    if (r == 0) {
        run_guest(vm, &guest);
        if (vm->outcome.end.reason == GUEST_END_NONE)
            end_as_asked(vm);
    } else {
        vm->outcome.start_error = r;
        vm->outcome.start_about = err.about;
        guest_end_set(&vm->outcome.end, GUEST_END_ERROR, 0, "%s", err.text);
    }
    vm->outcome.ended_ns = clock_realtime_ns();
    if (vm->file)
        record_outcome(vm);
    doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_ENDED);

    /* nobody waits for this any more: readers have all there is, and the loop has answered; but
     * what it locks in the kernel, others may want */
    schedule_hurry(gettid());
    board_free(guest.board);
    if (guest.machine_ready)
        machine_deinit(&guest.machine);
    if (vm->file)
        vm_file_seal(vm->file);
    doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_GONE);
    return NULL;
}

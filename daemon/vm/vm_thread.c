/*
 * The VM's thread: makes the guest's machine, runs it, tells the loop, takes it down.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "device/console.h"
#include "device/hypercall.h"
#include "device/uart16550.h"
#include "guests/hypercall.h"
#include "image/flat.h"
#include "kvm/machine.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/escape.h"
#include "util/schedule.h"
#include "vm/vm.h"

/* What only this thread touches. */
struct guest {
    struct machine machine;
    bool machine_ready;
    struct console console;
    struct uart16550 uart;
    struct hypercall_device hypercalls;
};

/* The console: into the ring; the loop is woken only if it said that it waits. */
static void append_output(void *context, const void *data, size_t size)
{
    struct vm *vm = context;

    output_ring_append(&vm->file->ring, data, size);
    if (atomic_load(&vm->output_wanted) && atomic_exchange(&vm->output_wanted, false))
        doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_OUTPUT);
}

static void add_devices(struct vm *vm, struct guest *guest)
{
    const struct interrupt_line no_controller = { .set = NULL };
    struct machine *machine = &guest->machine;

    guest->console = (struct console){ .write = append_output, .context = vm };
    uart16550_init(&guest->uart, &guest->console, &no_controller);
    bus_add(&machine->ports, (struct bus_range){
                                 .base = UART_PORT,
                                 .size = UART16550_REGISTERS,
                                 .read = uart16550_read,
                                 .write = uart16550_write,
                                 .device = &guest->uart,
                             });
    guest->hypercalls = (struct hypercall_device){
        .console = &guest->console,
        .stats = vm->file->stats,
        .end = &machine->end,
        .vm_id = vm->record.id,
        .vm_name = vm->record.name,
    };
    machine->hypercall = hypercall_device_call;
    machine->hypercall_device = &guest->hypercalls;
    if (vm->config.coalesce)
        machine_coalesce(machine, IO_SPACE_PORT, UART_PORT);
}

/* A file of the image directory and nothing outside of it, whatever the path says. */
static int open_in_directory(const struct vm_config *config, struct error *err)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    _cleanup_close_ int directory = open(config->image_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char path[128]; /* the client's: it goes into the log */
    int fd;

    if (directory < 0)
        return error_set(err, -ENOEXEC, "cannot open the image directory '%s': %s",
                         config->image_directory, strerror(errno));
    fd = (int)syscall(SYS_openat2, directory, config->image_path, &how, sizeof(how));
    if (fd < 0)
        return error_set(
            err, -ENOEXEC, "cannot open '%s' in the image directory: %s",
            escape_text(config->image_path, strlen(config->image_path), path, sizeof(path)),
            errno == EXDEV ? "it leads outside of it" : strerror(errno));
    return fd;
}

static int check_image(int fd, uint64_t *ret_size, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set(err, -ENOEXEC, "cannot look at the image: %s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, -ENOEXEC, "the image is a directory");
    if (!S_ISREG(st.st_mode))
        return error_set(err, -ENOEXEC, "the image is not a regular file");
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static int load_image(struct vm *vm, struct guest *guest, struct error *err)
{
    const struct vm_config *config = &vm->config;
    _cleanup_close_ int opened = -1;
    int fd = config->image_fd;
    struct boot boot;
    int r;

    if (fd < 0) {
        fd = opened = open_in_directory(config, err);
        if (fd < 0)
            return fd;
    }
    r = check_image(fd, &vm->outcome.image_size, err);
    if (r == 0)
        r = flat_load(&guest->machine.memory, fd, vm->outcome.image_size, config->load, &boot, err);
    if (r == 0)
        r = machine_boot(&guest->machine, &boot, err);
    return r;
}

static int make_guest(struct vm *vm, struct guest *guest, struct error *err)
{
    int r;

    r = vm_file_create(vm->directory_fd, &vm->record, vm->config.ring_capacity, &vm->file, err);
    if (r < 0)
        return r;
    r = machine_init(&guest->machine, vm->host, vm->config.memory_bytes, vm->file->stats, &vm->kick,
                     err);
    if (r < 0)
        return r;
    guest->machine_ready = true;
    add_devices(vm, guest);
    return load_image(vm, guest, err);
}

static void run_guest(struct vm *vm, struct guest *guest)
{
    int64_t started = clock_monotonic_ns();

    vm->outcome.started_ns = clock_realtime_ns();
    vm->file->header->record.started_ns = vm->outcome.started_ns;
    vm->file->header->record.image_size = vm->outcome.image_size;
    atomic_store(&vm->file->header->state, (uint32_t)VM_RUNNING);
    doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_RUNNING);
    schedule_background();

    machine_run(&guest->machine, &vm->requests);
    vm->outcome.uptime_ns = (uint64_t)(clock_monotonic_ns() - started);
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
    struct vm_file_header *header = vm->file->header;
    bool failed = vm->outcome.end.reason == GUEST_END_ERROR;

    header->record.ended_ns = vm->outcome.ended_ns;
    header->record.uptime_ns = vm->outcome.uptime_ns;
    header->record.image_size = vm->outcome.image_size;
    header->record.end = vm->outcome.end;
    if (vm->outcome.end.reason == GUEST_END_STOPPED || vm->outcome.end.reason == GUEST_END_KILLED)
        header->record.stopped_by = vm->stopped_by;
    atomic_store(&header->state, (uint32_t)(failed ? VM_FAILED : VM_EXITED));
}

void *vm_thread_main(void *argument)
{
    struct vm *vm = argument;
    struct guest guest = { .machine_ready = false };
    struct error err = { 0 };
    int r;

    r = make_guest(vm, &guest, &err);
    vm_config_deinit(&vm->config); /* the image is loaded: its descriptor is not kept */
    if (r == 0) {
        run_guest(vm, &guest);
        if (vm->outcome.end.reason == GUEST_END_NONE)
            end_as_asked(vm);
    } else {
        vm->outcome.start_error = r;
        guest_end_set(&vm->outcome.end, GUEST_END_ERROR, 0, "%s", err.text);
    }
    vm->outcome.ended_ns = clock_realtime_ns();
    if (vm->file)
        record_outcome(vm);
    doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_ENDED);

    /* nobody waits for this any more: readers have all there is, and the loop has answered; but
     * what it locks in the kernel, others may want */
    schedule_hurry(gettid());
    if (guest.machine_ready)
        machine_deinit(&guest.machine);
    if (vm->file)
        vm_file_seal(vm->file);
    doorbell_ring(vm->doorbell, &vm->button, VM_NEWS_GONE);
    return NULL;
}

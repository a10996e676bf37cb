/*
 * Launch: from a request to a VM that a worker starts. Everything that may fail for want of
 * something is done before the worker is asked; from then on there is a VM, and it tells itself
 * what becomes of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/link.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "vm/admission.h"
#include "vm/registry_private.h"
#include "vm/worker.h"

/* The message to the worker, with its texts behind it. */
struct start {
    struct link_start message;
    char texts[DEFINITION_TEXTS_SIZE_MAX];
};

static_assert(offsetof(struct start, texts) == sizeof(struct link_start), "texts come behind it");

static int fill_texts(struct start *start, const struct vm_request *request, struct error *err)
{
    struct definition_texts texts = { .append = request->append ? request->append : "" };
    size_t size;

    for (size_t i = 0; i < request->source_count; i++) {
        const char *arguments = request->sources[i].arguments;

        texts.sources[i].name = request->sources[i].name;
        texts.sources[i].arguments = arguments ? arguments : "";
    }
    if (definition_pack(&request->definition, &texts, start->texts, sizeof(start->texts), &size) <
        0)
        return error_set_about(err, "append", -EINVAL,
                               "command line, names and arguments have more than %d bytes together",
                               DEFINITION_TEXTS_SIZE_MAX);
    start->message.texts_size = (uint32_t)size;
    start->message.vm.head = (struct link_head){
        .type = LINK_START,
        .size = (uint32_t)(sizeof(start->message) + size),
    };
    return 0;
}

static int make_start(const struct vm_request *request, struct start **ret, struct error *err)
{
    /* the texts have room for far more than they are: only what they are is touched */
    _cleanup_free_ struct start *start = malloc(sizeof(*start));
    int r;

    if (!start)
        return error_set(err, -ENOMEM, "out of memory");
    start->message = (struct link_start){ .definition = request->definition };
    r = fill_texts(start, request, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(start);
    return 0;
}

static void fill_record(struct registry *registry, struct vm *vm, const struct vm_request *request,
                        const struct vm_peer *owner, uint64_t id)
{
    struct vm_record *record = &vm->record;

    record->id = id;
    if (request->named)
        snprintf(record->name, sizeof(record->name), "%s", request->name);
    else
        admission_give_name(registry, id, record->name);
    snprintf(record->image, sizeof(record->image), "%s", request->sources[0].name);
    vm_machine_record_begin(&record->machine, (enum image_format)request->definition.format);
    record->cpus = request->definition.cpus;
    record->machine.memory_bytes = request->definition.memory_bytes;
    record->created_ns = clock_realtime_ns();
    record->owner = *owner;
    vm->ring_capacity = request->definition.ring_capacity;
}

static int write_down(struct registry *registry, struct vm *vm, struct error *err)
{
    struct ledger_row row = {
        .id = vm->record.id,
        .worker = vm->worker->number,
        .slot = vm->slot,
        .created_ns = vm->record.created_ns,
        .owner = vm->record.owner,
        .cpus = (uint32_t)vm->record.cpus,
        .ring_capacity = vm->ring_capacity,
    };

    memcpy(row.name, vm->record.name, sizeof(row.name));
    memcpy(row.image, vm->record.image, sizeof(row.image));
    return ledger_add(registry->ledger, &row, &vm->ledger_index, err);
}

/* Sources of our own go by themselves; the others are asked for. */
static int supply(struct registry *registry, const struct vm_request *request, uint32_t uid,
                  const struct vm_supplier *supplier, int supply_fd, struct error *err)
{
    int r = 0;

    for (uint32_t i = 0; r == 0 && i < request->source_count; i++) {
        const struct vm_source *source = &request->sources[i];
        const struct link_source message = { .head = LINK_HEAD(LINK_SOURCE, message), .source = i };

        switch (source->kind) {
        case VM_SOURCE_CLIENT:
            r = supplier->supply(supplier->context, i, supply_fd, err);
            break;
        case VM_SOURCE_FILE:
            r = link_send(supply_fd, &message, sizeof(message), &source->fd, 1);
            if (r < 0)
                error_set(err, -EAGAIN, "cannot pass the image on: %s", strerror(-r));
            break;
        case VM_SOURCE_PATH:
            r = worker_pool_supply_path(registry->pool, uid, registry->setup.limits->image_dir,
                                        source->path, i, supply_fd, err);
            break;
        }
    }
    return r;
}

/* Asks the worker. fds: the VM's file, the worker's end of the supply. */
static int ask_worker(struct vm *vm, struct start *start, const int *fds, struct error *err)
{
    struct link_start *message = &start->message;
    int r;

    message->vm.id = vm->record.id;
    message->vm.slot = vm->slot;
    message->owner = vm->record.owner;
    message->created_ns = vm->record.created_ns;
    memcpy(message->name, vm->record.name, sizeof(message->name));
    r = worker_send(vm->worker, start, message->vm.head.size, fds, 2);
    return r < 0 ? error_set(err, -EAGAIN, "cannot ask a worker: %s", strerror(-r)) : 0;
}

/* With all that it needs, or nothing is left of it. */
static int launch(struct registry *registry, struct vm *vm, const struct vm_request *request,
                  const struct vm_supplier *supplier, struct start *start, struct error *err)
{
    _cleanup_close_ int ours = -1, theirs = -1;
    int ends[2], fds[2], r;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(err, -EAGAIN, "cannot pass its files on: %s", strerror(errno));
    ours = ends[0];
    theirs = ends[1];
    vm->file_fd = vm_file_make(registry->directory.fd, vm->record.id);
    if (vm->file_fd < 0)
        return error_set(err, -EIO, "cannot create the VM's state file: %s",
                         strerror(-vm->file_fd));
    r = write_down(registry, vm, err);
    if (r == 0) {
        r = supply(registry, request, vm->record.owner.uid, supplier, ours, err);
        fds[0] = vm->file_fd;
        fds[1] = theirs;
        if (r == 0)
            r = ask_worker(vm, start, fds, err);
        if (r < 0)
            ledger_remove(registry->ledger, vm->ledger_index);
    }
    if (r < 0)
        state_dir_remove(&registry->directory, vm->record.id);
    return r;
}

static int list_and_launch(struct registry *registry, struct vm *vm,
                           const struct vm_request *request, const struct vm_supplier *supplier,
                           struct start *start, struct error *err)
{
    int r;

    if (!registry_list(registry, vm))
        return error_set(err, -ENOMEM, "out of memory");
    if (!registry_list_live(registry, vm)) {
        registry_unlist(registry, vm);
        return error_set(err, -ENOMEM, "out of memory");
    }
    r = launch(registry, vm, request, supplier, start, err);
    if (r < 0) {
        registry_unlist_live(registry, vm);
        registry->counts.held--;
        registry_unlist(registry, vm);
    }
    return r;
}

static int start_admitted(struct registry *registry, const struct vm_request *request,
                          const struct vm_peer *owner, const struct vm_supplier *supplier,
                          struct vm **ret, struct error *err)
{
    _cleanup_free_ struct start *start = NULL;
    struct vm *vm;
    uint64_t id;
    int r;

    r = make_start(request, &start, err);
    if (r == 0)
        r = state_dir_take_id(&registry->directory, &id, err);
    if (r < 0)
        return r;
    vm = vm_new(&registry->vm_owner);
    if (!vm)
        return error_set(err, -ENOMEM, "out of memory");
    fill_record(registry, vm, request, owner, id);
    r = worker_pool_place(registry->pool, owner->uid, &vm->worker, &vm->slot, err);
    if (r == 0)
        r = list_and_launch(registry, vm, request, supplier, start, err);
    if (r < 0) {
        vm_free(vm);
        return r;
    }
    worker_pool_occupy(registry->pool, vm->worker, vm->slot, vm_ref(vm));
    *ret = vm;
    return 0;
}

int registry_start_vm(struct registry *registry, struct vm_request *request,
                      const struct vm_peer *owner, const struct vm_supplier *supplier,
                      struct vm **ret, struct error *err)
{
    int r;

    r = registry->shutting_down ? error_set(err, -ESHUTDOWN, "vmmd is shutting down")
                                : admission_check(registry, registry->setup.limits, request, err);
    if (r == 0)
        r = start_admitted(registry, request, owner, supplier, ret, err);
    vm_request_deinit(request);
    if (r < 0)
        return r;
    vm_observers_notify(&registry->observers, *ret, VM_NOTICE_STATE);
    registry_counts_changed(registry);
    return 0;
}

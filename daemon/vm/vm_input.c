/*
 * A VM's input: a queue that its worker reads from, made when it is first needed.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shared/link.h"
#include "vm/vm_private.h"
#include "vm/worker.h"

/* The worker moves into it what waits in the queue of an earlier daemon, if there was one. */
static int make_queue(struct vm *vm)
{
    struct link_vm message = { .head = LINK_HEAD(LINK_INPUT, message) };
    int fd, r = input_queue_new(&vm->input, &fd);

    if (r < 0)
        return r;
    if (vm->input_unknown)
        input_queue_await_move(vm->input);
    vm_send(vm, &message, sizeof(message), &fd, 1);
    close(fd);
    return 0;
}

int vm_input(struct vm *vm, const void *data, size_t size, bool eof, size_t *ret_taken,
             struct error *err)
{
    int r = 0;

    if (vm_has_ended(vm))
        return error_set(err, -EBUSY, "VM '%s' has ended: nobody is there to read",
                         vm->record.name);
    if (!vm->input)
        r = make_queue(vm);
    if (r < 0)
        return error_set(err, -ENOMEM, "no memory for input: %s", strerror(-r));
    if (input_queue_is_closed(vm->input))
        return error_set(err, -EBUSY, "the input of VM '%s' has ended", vm->record.name);
    *ret_taken = input_queue_put(vm->input, data, size);
    if (eof && *ret_taken == size && input_queue_is_ready(vm->input))
        input_queue_close(vm->input);
    if (vm->worker)
        worker_call(vm->worker, vm->slot);
    return 0;
}

void vm_want_room(struct vm *vm)
{
    if (!vm->worker)
        return;
    atomic_store(&vm->worker->page->slots[vm->slot].room_wanted, 1);
    /* read before the guest's thread could see that it is wanted? (seq_cst on both sides) */
    if (vm->input && vm_input_room(vm) > 0 &&
        atomic_exchange(&vm->worker->page->slots[vm->slot].room_wanted, 0))
        worker_add_news(vm->worker, vm->slot, SLOT_ROOM);
}

size_t vm_input_waiting(const struct vm *vm)
{
    return vm->input ? input_queue_length(vm->input) : 0;
}

size_t vm_input_room(const struct vm *vm)
{
    if (!vm->input)
        return INPUT_QUEUE_CAPACITY;
    if (input_queue_is_closed(vm->input) || !input_queue_is_ready(vm->input))
        return 0;
    return INPUT_QUEUE_CAPACITY - input_queue_length(vm->input);
}

bool vm_input_has_ended(const struct vm *vm)
{
    return vm_has_ended(vm) || (vm->input && input_queue_is_closed(vm->input));
}

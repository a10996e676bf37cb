/*
 * A VM's output, as watchers are told of it: at once after a quiet time, else once per pace.
 */
#include <event2/event.h>

#include "vm/vm_private.h"
#include "vm/worker.h"

/* How long output may gather before watchers are told of more. */
static const struct timeval pace = { .tv_usec = 2000 };

/* Where the VM's thread looks whether anybody wants to know. */
static void set_wanted(const struct vm *vm, bool wanted)
{
    if (vm->worker)
        atomic_store(&vm->worker->page->slots[vm->slot].output_wanted, wanted);
}

static void tell(struct vm *vm)
{
    vm->output_seen = output_ring_end(&vm->file->ring);
    event_add(vm->pace, &pace);
    vm_notify(vm, VM_NOTICE_OUTPUT);
}

/* A pace has passed: tell of what came meanwhile, or else have the next byte ring. */
static void on_pace(evutil_socket_t fd, short what, void *context)
{
    struct vm *vm = context;

    (void)fd, (void)what;
    if (output_ring_end(&vm->file->ring) == vm->output_seen) {
        set_wanted(vm, true);
        /* written before the guest's thread could see that it is wanted? (seq_cst on both sides) */
        if (output_ring_end(&vm->file->ring) == vm->output_seen)
            return;
        set_wanted(vm, false);
    }
    tell(vm);
}

void vm_output_begin(struct vm *vm)
{
    if (vm->output_watchers == 0 || vm_has_ended(vm) || !vm->file)
        return;
    if (!vm->pace)
        vm->pace = event_new(vm->owner->base, -1, 0, on_pace, vm);
    if (vm->pace)
        on_pace(-1, 0, vm);
}

void vm_output_tell(struct vm *vm)
{
    if (vm->pace && vm->output_watchers > 0)
        tell(vm);
}

void vm_output_end(struct vm *vm)
{
    if (vm->pace)
        event_free(vm->pace);
    vm->pace = NULL;
}

void vm_watch_output(struct vm *vm)
{
    if (vm->output_watchers++ == 0)
        vm_output_begin(vm);
}

void vm_unwatch_output(struct vm *vm)
{
    if (--vm->output_watchers > 0)
        return;
    set_wanted(vm, false);
    if (vm->pace)
        event_del(vm->pace);
}

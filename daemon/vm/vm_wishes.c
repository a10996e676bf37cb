/*
 * What a VM is asked to do: to end, to stand still, to go on.
 *
 * Of pausing and resuming, one wish at a time is under way, and carried out; then comes the last of
 * those that were uttered meanwhile.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "shared/link.h"
#include "vm/vm_private.h"

/* by: NULL, nobody but the daemon. */
static void ask_to_end(struct vm *vm, enum guest_end_reason reason, const struct vm_peer *by,
                       const char *sentence)
{
    static const struct vm_peer nobody;
    struct link_end message = {
        .vm.head = LINK_HEAD(LINK_END, message),
        .reason = reason,
        .by = by ? *by : nobody,
    };
    bool asked = vm->state == VM_STOPPING;

    if (vm_has_ended(vm) || (asked && (reason != GUEST_END_KILLED || vm->kill_asked)))
        return;
    vm->kill_asked = reason == GUEST_END_KILLED;
    snprintf(message.sentence, sizeof(message.sentence), "%s", sentence);
    vm_send(vm, &message, sizeof(message), NULL, 0);
    if (!asked)
        vm_set_state(vm, VM_STOPPING);
}

void vm_stop(struct vm *vm, enum guest_end_reason reason, const struct vm_peer *by)
{
    char sentence[128] = "vmmd was shutting down";

    if (by)
        snprintf(sentence, sizeof(sentence), "uid %" PRIu32 " (pid %" PRId32 ") %s it", by->uid,
                 by->pid, guest_end_reason_to_string(reason));
    ask_to_end(vm, reason, by, sentence);
}

void vm_give_up(struct vm *vm, const char *sentence)
{
    ask_to_end(vm, GUEST_END_KILLED, NULL, sentence);
}

void vm_steer(struct vm *vm)
{
    struct link_vm message = { .head = LINK_HEAD(LINK_PAUSE, message) };
    bool paused = vm->state == VM_PAUSED;

    if ((!paused && vm->state != VM_RUNNING) || vm->pause_asked != paused ||
        vm->pause_wanted == paused)
        return;
    vm->pause_asked = !paused;
    if (paused)
        message.head.type = LINK_RESUME;
    vm_send(vm, &message, sizeof(message), NULL, 0);
}

static int want_pause(struct vm *vm, bool wanted, const char *what, struct error *err)
{
    if (vm->state != VM_RUNNING && vm->state != VM_PAUSED)
        return error_set(err, -EBUSY, "VM '%s' is %s; only one that is running or paused can be %s",
                         vm->record.name, vm_state_to_string(vm->state), what);
    vm->pause_wanted = wanted;
    vm_steer(vm);
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
        return vm->pause_asked; /* or else it is about to go on, from a pause before */
    return vm->state != VM_RUNNING || !vm->pause_wanted;
}

bool vm_resume_is_over(const struct vm *vm)
{
    if (vm->state == VM_RUNNING)
        return !vm->pause_asked; /* or else it is about to stand still */
    return vm->state != VM_PAUSED || vm->pause_wanted;
}

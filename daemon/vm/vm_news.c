/*
 * What a VM's worker tells of it, or what its death means for it.
 *
 * News says only that there is something to look for. What it is stands in the VM's file, and is
 * taken from there as far as it makes sense; who it is, is the ledger's to say (vm/ledger.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/link.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "vm/vm_private.h"
#include "vm/worker.h"

/* What the worker knows better than we do. */
static void take_record(struct vm *vm, const struct vm_record *said)
{
    struct vm_record *record = &vm->record;

    record->machine = said->machine;
    record->started_ns = said->started_ns;
    record->ended_ns = said->ended_ns;
    record->uptime_ns = said->uptime_ns;
    record->paused_ns = said->paused_ns;
    record->stopped_by = said->stopped_by;
    record->end = said->end;
    record->start_error = said->start_error;
    memcpy(record->start_about, said->start_about, sizeof(record->start_about));
}

int vm_read_file(struct vm *vm, struct error *err)
{
    struct vm_record said;
    int r = 0;

    if (!vm->file && vm->file_fd < 0)
        vm->file_fd = vm->owner->open_file(vm->owner->context, vm);
    if (!vm->file && vm->file_fd < 0)
        return error_set(err, vm->file_fd, "%s", strerror(-vm->file_fd));
    if (!vm->file)
        r = vm_file_view(vm->file_fd, vm->record.id, vm->ring_capacity, &vm->file, err);
    if (r < 0)
        return r;
    if (vm_file_read_record(vm->file, vm->record.id, &said) < 0)
        return error_set(err, -EBADMSG, "it is damaged");
    take_record(vm, &said);
    if (vm->file_fd >= 0)
        close(TAKE_FD(vm->file_fd));
    return 0;
}

/* Endings. */

static void log_end(const struct vm *vm)
{
    bool fine = vm->state == VM_EXITED;

    log_vm_line(fine ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, vm->record.id, vm->record.name, "%s: %s",
                guest_end_reason_to_string(vm->record.end.reason), vm->record.end.message);
}

static void end(struct vm *vm, enum vm_state state)
{
    vm_output_end(vm);
    vm->times_wanted = false;
    vm->owner->ended(vm->owner->context, vm);
    vm_set_state(vm, state);
    log_end(vm);
}

void vm_fill_end(struct vm *vm, enum guest_end_reason reason, const char *sentence)
{
    struct vm_record *record = &vm->record;

    record->ended_ns = clock_realtime_ns();
    if (vm->file)
        record->uptime_ns =
            counter_get(&vm->file->stats->guest_ns) + counter_get(&vm->file->stats->vmm_ns);
    record->end = (struct guest_end){ 0 };
    guest_end_set(&record->end, reason, 0, "%s", sentence);
}

/* Its worker told nothing of its ending that we could use. */
static void end_with(struct vm *vm, enum vm_state state, enum guest_end_reason reason,
                     const char *sentence)
{
    vm_fill_end(vm, reason, sentence);
    end(vm, state);
}

/* The ending that its file has. Whether there is one. */
static bool end_as_file_says(struct vm *vm)
{
    enum guest_end_reason reason;

    if (vm_read_file(vm, NULL) < 0 || !vm_state_is_terminal(vm_file_state(vm->file)))
        return false;
    reason = vm->record.end.reason;
    if (reason == GUEST_END_NONE)
        return false;
    end(vm, reason == GUEST_END_ERROR ? VM_FAILED : VM_EXITED);
    return true;
}

static void handle_ended(struct vm *vm)
{
    if (vm_has_ended(vm) || end_as_file_says(vm))
        return;
    end_with(vm, VM_FAILED, GUEST_END_ERROR,
             "it has ended, but what its worker wrote of that makes no sense");
    if (vm->file) /* or it could not be read, and the next daemon may be able to */
        vm_write_end(vm);
}

void vm_write_end(struct vm *vm)
{
    int fd, r;

    if (vm->removed) /* there is no next daemon that could ask for it */
        return;
    fd = vm->owner->open_file(vm->owner->context, vm);
    r = fd < 0 ? fd : vm_file_write_end(fd, &vm->record, vm->state);
    if (fd >= 0)
        close(fd);
    if (r < 0 && r != -EBADMSG) /* a file that was never filled has no place for it */
        log_vm_line(LOG_LEVEL_WARNING, vm->record.id, vm->record.name,
                    "cannot write its end into its file: %s", strerror(-r));
}

static void let_go(struct vm *vm)
{
    if (!vm->worker)
        return;
    vm->owner->gone(vm->owner->context, vm);
}

void vm_format_lost(char sentence[static GUEST_END_MESSAGE_SIZE], const char *state,
                    const char *why, uint64_t output_end)
{
    snprintf(sentence, GUEST_END_MESSAGE_SIZE,
             "what ran it is gone while it was %s: %s; its output is kept up to byte %" PRIu64,
             state, why, output_end);
}

void vm_handle_lost(struct vm *vm, const char *why)
{
    char sentence[GUEST_END_MESSAGE_SIZE];

    vm_ref(vm);
    if (!vm_has_ended(vm) && !end_as_file_says(vm)) {
        vm_format_lost(sentence, vm_state_to_string(vm->state), why,
                       vm->file ? output_ring_end(&vm->file->ring) : 0);
        if (vm->state == VM_STARTING) /* whoever waits for the start is to hear of it */
            vm->record.start_error = -EOWNERDEAD;
        end_with(vm, VM_LOST, GUEST_END_WORKER_LOST, sentence);
        vm_write_end(vm);
    }
    let_go(vm);
    vm_unref(vm);
}

void vm_handle_refused(struct vm *vm, const struct link_refused *refused)
{
    vm_ref(vm);
    if (!vm_has_ended(vm)) {
        vm->record.start_error = refused->code < 0 ? refused->code : -EAGAIN;
        end_with(vm, VM_FAILED, GUEST_END_ERROR, refused->text);
    }
    let_go(vm);
    vm_unref(vm);
}

void vm_handle_stranded(struct vm *vm)
{
    vm_ref(vm);
    if (!vm_has_ended(vm) && !end_as_file_says(vm))
        end_with(vm, VM_EXITED, GUEST_END_KILLED, "it was killed, while it was loading its files");
    let_go(vm);
    vm_unref(vm);
}

/* News of one that lives. */

/* A daemon that took it up may have read its file before its guest ran. */
static bool is_known_to_run(const struct vm *vm)
{
    return vm->file && vm->state != VM_STARTING && vm->record.started_ns > 0;
}

static void handle_running(struct vm *vm)
{
    struct error err;

    if (vm->file_is_bad || is_known_to_run(vm))
        return;
    if (vm_read_file(vm, &err) < 0) {
        vm->file_is_bad = true; /* that is logged once, however often it is told that it runs */
        log_vm_line(LOG_LEVEL_WARNING, vm->record.id, vm->record.name, "cannot use its file: %s",
                    err.text);
        vm_give_up(vm, "its state file cannot be used");
        return;
    }
    if (vm->state == VM_STARTING)
        vm_set_state(vm, VM_RUNNING);
    else
        vm_notify(vm, VM_NOTICE_STATE); /* who waits for the start */
    vm_output_begin(vm);
}

/* If it was not asked to by us, an earlier daemon did: that is what it was asked last, and wanted.
 */
static void stand(struct vm *vm, bool paused)
{
    if (vm->pause_asked != paused)
        vm->pause_asked = vm->pause_wanted = paused;
    vm_set_state(vm, paused ? VM_PAUSED : VM_RUNNING);
}

/* Which of both it was, its file tells: both may have come, one after the other. */
static void handle_standing(struct vm *vm)
{
    bool stands = vm->file && vm_file_state(vm->file) == VM_PAUSED;

    if (vm->state == (stands ? VM_RUNNING : VM_PAUSED))
        stand(vm, stands);
    vm_steer(vm);
}

void vm_handle_news(struct vm *vm, uint32_t news)
{
    vm_ref(vm);
    if (news & SLOT_RUNNING && !vm_has_ended(vm))
        handle_running(vm);
    if (news & (SLOT_STANDS | SLOT_GOES_ON) && !vm_has_ended(vm))
        handle_standing(vm);
    if (news & SLOT_ROOM)
        vm_notify(vm, VM_NOTICE_ROOM);
    if (news & SLOT_TIMES) {
        vm->times_wanted = false;
        vm_notify(vm, VM_NOTICE_TIMES);
    }
    if (news & SLOT_OUTPUT && !vm_has_ended(vm))
        vm_output_tell(vm);
    if (news & (SLOT_ENDED | SLOT_GONE))
        handle_ended(vm);
    if (news & SLOT_GONE)
        let_go(vm);
    vm_unref(vm);
}

/* It was there before we were. */
void vm_handle_report(struct vm *vm, const struct link_report *report)
{
    vm_ref(vm);
    vm->input_unknown = report->has_input != 0;
    switch ((enum link_phase)report->phase) {
    case LINK_PHASE_STARTING:
        break;
    case LINK_PHASE_RUNNING:
    case LINK_PHASE_PAUSED:
        handle_running(vm);
        handle_standing(vm);
        vm->pause_asked = vm->pause_wanted = vm->state == VM_PAUSED;
        break;
    case LINK_PHASE_ENDED:
        handle_ended(vm);
        break;
    }
    vm_unref(vm);
}

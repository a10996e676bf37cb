/*
 * A guest's thread: has its machine made, runs it, writes down what came of it, has it taken down.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/schedule.h"
#include "worker/guest.h"
#include "worker/made.h"

/* How long it ran, and how much of that it was paused. */
struct span {
    uint64_t uptime_ns;
    uint64_t paused_ns;
};

static int fill_file(struct guest *guest, struct error *err)
{
    _cleanup_free_ struct vm_record *record = malloc(sizeof(*record));
    struct vm_file *file;
    int r;

    if (!record)
        return error_set(err, -ENOMEM, "out of memory");
    guest_describe(guest, record);
    r = vm_file_fill(guest->file_fd, record, guest->definition.ring_capacity, &file, err);
    guest->file_fd = -1; /* the file's */
    if (r < 0)
        return r;
    pthread_mutex_lock(&guest->lock);
    guest->file = file;
    pthread_mutex_unlock(&guest->lock);
    return 0;
}

/* Running. */

/* Whether it may run; false: it was given up meanwhile. */
static bool begin(struct made *made)
{
    struct guest *guest = made->guest;
    struct vm_live *live = guest->file->live;
    bool disowned;

    pthread_mutex_lock(&guest->lock);
    disowned = guest->disowned;
    if (!disowned) {
        guest->started_mono_ns = clock_monotonic_ns();
        guest->phase = LINK_PHASE_RUNNING;
        guest->file->record->started_ns = clock_realtime_ns();
        guest->file->record->machine = made->described;
        atomic_store(&live->started_mono_ns, guest->started_mono_ns);
        atomic_store(guest->file->state, (uint32_t)VM_RUNNING);
    }
    pthread_mutex_unlock(&guest->lock);
    return !disowned;
}

/* Whether somebody has to wake up for its timeout. */
static void wake_control(const struct guest *guest)
{
    const uint64_t one = 1;

    if (guest->definition.timeout_ms > 0 &&
        write(guest->home->wake_fd, &one, sizeof(one)) < 0) /* a full counter wakes it, too */
        return;
}

static void run(struct made *made, struct span *ret)
{
    struct guest *guest = made->guest;

    if (!begin(made))
        return;
    atomic_store(&guest->waits_in_kvm, made->described.waits_in_kvm != 0);
    guest_tell(guest, SLOT_RUNNING);
    wake_control(guest);
    schedule_background();

    machine_run(&made->machine, guest->kicks);
    made_drain(made);
    schedule_hurry(gettid()); /* others may want what it locks in the kernel, taking it down */
    ret->paused_ns = made->machine.stood_ns;
    ret->uptime_ns = (uint64_t)(clock_monotonic_ns() - guest->started_mono_ns) - ret->paused_ns;
}

/* made: NULL, for want of memory; r: what came of making it. */
static void write_end(const struct guest *guest, const struct made *made, int r,
                      const struct error *err, struct vm_record *record)
{
    const struct request_end *asked = &guest->asked_to_end;

    if (r == 0 && made->machine.end.reason != GUEST_END_NONE) {
        record->end = made->machine.end;
    } else if (r == 0 || atomic_load(&guest->end)) { /* before it had its files, or later */
        guest_end_set(&record->end, asked->reason, 0, "%s", asked->sentence);
    } else {
        record->start_error = r;
        if (err->about)
            snprintf(record->start_about, sizeof(record->start_about), "%s", err->about);
        guest_end_set(&record->end, GUEST_END_ERROR, 0, "%s", err->text);
    }
}

/* What the daemon is to know, this one or the next. [lock] held. */
static void write_outcome(const struct guest *guest, const struct made *made, int r,
                          const struct error *err, const struct span *span)
{
    struct vm_record *record = guest->file->record;
    enum guest_end_reason reason;

    record->ended_ns = clock_realtime_ns();
    record->uptime_ns = span->uptime_ns;
    record->paused_ns = span->paused_ns;
    if (made)
        record->machine = made->described;
    write_end(guest, made, r, err, record);
    reason = record->end.reason;
    if (reason == GUEST_END_STOPPED || reason == GUEST_END_KILLED)
        record->stopped_by = guest->asked_to_end.by;
    atomic_store(guest->file->state, (uint32_t)(reason == GUEST_END_ERROR ? VM_FAILED : VM_EXITED));
}

static void conclude(struct guest *guest, const struct made *made, int r, const struct error *err,
                     const struct span *span)
{
    bool disowned;

    pthread_mutex_lock(&guest->lock);
    disowned = guest->disowned;
    if (!disowned)
        write_outcome(guest, made, r, err, span);
    guest->phase = LINK_PHASE_ENDED;
    pthread_mutex_unlock(&guest->lock);
    if (!disowned)
        guest_tell(guest, SLOT_ENDED);
}

/* Not on the stack: pages of that are not had again. */
static void make_and_run(struct guest *guest)
{
    _cleanup_free_ struct made *made = malloc(sizeof(*made));
    struct span span = { 0 };
    struct error err = { 0 };
    int r = made ? made_make(made, guest, &err) : error_set(&err, -ENOMEM, "out of memory");

    if (r == 0)
        run(made, &span);
    conclude(guest, made, r, &err, &span);
    /* nobody waits for this any more: readers have all there is, and the daemon was told */
    if (made)
        made_take_down(made);
}

static void let_go(struct guest *guest)
{
    guest->home->gone(guest->home->context, guest, NULL);
}

/* There is no file to tell of it: a message does, and that the slot is free. */
static void refuse(struct guest *guest, int code, const char *text)
{
    const struct guest_home *home = guest->home;
    struct link_refused refused = {
        .vm = { .head = LINK_HEAD(LINK_REFUSED, refused), .id = guest->id, .slot = guest->slot },
        .code = code,
    };

    snprintf(refused.text, sizeof(refused.text), "%s", text);
    home->gone(home->context, guest, &refused);
}

/* Whether it has its VM's file; false: it is gone. */
static bool get_file(struct guest *guest)
{
    struct error err = { 0 };
    int r = fill_file(guest, &err);

    if (r == 0)
        return true;
    if (guest_is_disowned(guest))
        let_go(guest);
    else
        refuse(guest, r, err.text);
    return false;
}

void guest_thread_run(struct guest *guest)
{
    if (!get_file(guest))
        return;
    make_and_run(guest);
    vm_file_seal(guest->file);
    let_go(guest);
}

/*
 * A guest's thread: has its machine made, runs it, writes down what came of it, has it taken down.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/schedule.h"
#include "worker/guest.h"
#include "worker/made.h"

/* How it ended. */
struct outcome {
    int start_error; /* negative errno: the guest never ran */
    char start_about[sizeof(((struct vm_record *)NULL)->start_about)];
    uint64_t uptime_ns;
    uint64_t paused_ns;
    struct guest_end end;
};

static int fill_file(struct guest *guest, struct error *err)
{
    struct vm_file *file;
    int r =
        vm_file_fill(guest->file_fd, &guest->record, guest->definition.ring_capacity, &file, err);

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

static void run(struct made *made, struct outcome *ret)
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
    ret->end = made->machine.end;
    if (ret->end.reason == GUEST_END_NONE) /* it had no end of its own: it was asked to */
        guest_end_set(&ret->end, guest->asked_to_end.reason, 0, "%s", guest->asked_to_end.sentence);
}

/* What the daemon is to know, this one or the next. [lock] held. */
static void write_outcome(struct made *made, const struct outcome *outcome)
{
    struct guest *guest = made->guest;
    struct vm_record *record = guest->file->record;
    bool failed = outcome->end.reason == GUEST_END_ERROR;

    record->ended_ns = clock_realtime_ns();
    record->uptime_ns = outcome->uptime_ns;
    record->paused_ns = outcome->paused_ns;
    record->machine = made->described;
    record->end = outcome->end;
    record->start_error = outcome->start_error;
    memcpy(record->start_about, outcome->start_about, sizeof(record->start_about));
    if (outcome->end.reason == GUEST_END_STOPPED || outcome->end.reason == GUEST_END_KILLED)
        record->stopped_by = guest->asked_to_end.by;
    atomic_store(guest->file->state, (uint32_t)(failed ? VM_FAILED : VM_EXITED));
}

static void conclude(struct made *made, const struct outcome *outcome)
{
    struct guest *guest = made->guest;
    bool disowned;

    pthread_mutex_lock(&guest->lock);
    disowned = guest->disowned;
    if (!disowned)
        write_outcome(made, outcome);
    guest->phase = LINK_PHASE_ENDED;
    pthread_mutex_unlock(&guest->lock);
    if (!disowned)
        guest_tell(guest, SLOT_ENDED);
}

static void fail(struct outcome *outcome, int code, const struct error *err)
{
    outcome->start_error = code;
    if (err->about)
        snprintf(outcome->start_about, sizeof(outcome->start_about), "%s", err->about);
    guest_end_set(&outcome->end, GUEST_END_ERROR, 0, "%s", err->text);
}

static void let_go(struct guest *guest)
{
    guest->home->gone(guest->home->context, guest, NULL);
}

/* There is no file to tell of it: a message does, and that the slot is free. */
static void refuse(struct guest *guest, const struct outcome *outcome)
{
    const struct guest_home *home = guest->home;
    struct link_refused refused = {
        .vm = { .head = LINK_HEAD(LINK_REFUSED, refused),
                .id = guest->record.id,
                .slot = guest->slot },
        .code = outcome->start_error,
    };

    snprintf(refused.text, sizeof(refused.text), "%s", outcome->end.message);
    home->gone(home->context, guest, &refused);
}

void guest_thread_run(struct guest *guest)
{
    struct outcome outcome = { 0 };
    struct error err = { 0 };
    struct made made;
    int r = fill_file(guest, &err);

    if (r < 0 && guest_is_disowned(guest)) {
        let_go(guest);
        return;
    }
    if (r < 0) {
        fail(&outcome, r, &err);
        refuse(guest, &outcome);
        return;
    }
    r = made_make(&made, guest, &err);
    if (r == 0)
        run(&made, &outcome);
    else if (atomic_load(&guest->end)) /* it was to end before it had its files */
        guest_end_set(&outcome.end, guest->asked_to_end.reason, 0, "%s",
                      guest->asked_to_end.sentence);
    else
        fail(&outcome, r, &err);
    conclude(&made, &outcome);
    /* nobody waits for this any more: readers have all there is, and the daemon was told */
    made_take_down(&made);
    vm_file_seal(guest->file);
    let_go(guest);
}

#include "kvm/vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "kvm/arch.h"
#include "kvm/machine.h"
#include "shared/exit_reason.h"
#include "util/clock.h"

int vcpu_init(struct vcpu *vcpu, struct machine *machine, unsigned index, struct vcpu_kick *kick,
              struct error *err)
{
    void *run;
    int r;

    *vcpu = (struct vcpu){
        .machine = machine,
        .index = index,
        .kick = kick,
        .fd = -1,
        .unfinished = true,
    };
    vcpu->fd = ioctl(machine->vm_fd, KVM_CREATE_VCPU, index);
    if (vcpu->fd < 0)
        return error_set(err, -ENODEV, "KVM_CREATE_VCPU %u: %s", index, strerror(errno));
    run = mmap(NULL, machine->host->vcpu_map_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (run == MAP_FAILED) {
        r = error_set(err, -ENODEV, "cannot map vCPU %u: %s", index, strerror(errno));
    } else {
        vcpu->run = run;
        r = arch_init_vcpu(vcpu, err);
    }
    if (r < 0)
        vcpu_deinit(vcpu);
    return r;
}

void vcpu_deinit(struct vcpu *vcpu)
{
    vcpu_kick_withdraw(vcpu->kick);
    if (vcpu->run)
        munmap(vcpu->run, vcpu->machine->host->vcpu_map_size);
    if (vcpu->fd >= 0)
        close(vcpu->fd);
    vcpu->run = NULL;
    vcpu->fd = -1;
}

static void handle_exit(struct vcpu *vcpu)
{
    uint32_t reason = vcpu->run->exit_reason;
    exit_fn handler = reason < arch_exit_count ? arch_exit_table[reason] : NULL;

    exit_stats_count_exit(vcpu->machine->stats, reason);
    vcpu->io_done = 0;
    vcpu->machine->sleep[vcpu->index].asleep = false;
    if (handler)
        handler(vcpu);
    else
        guest_end_set(&vcpu->machine->end, GUEST_END_ERROR, 0,
                      "the guest made an exit that vmmd does not handle: '%s' (%" PRIu32 ")",
                      exit_reason_to_string(reason), reason);
}

static void end_if_lost(struct vcpu *vcpu, bool gave_up)
{
    if (arch_is_lost(vcpu, gave_up))
        guest_end_set(&vcpu->machine->end, GUEST_END_SHUTDOWN, 0,
                      "the guest's CPU can only fault: it cannot run its trap handler");
}

/* KVM_RUN returned -1. */
static void handle_run_error(struct vcpu *vcpu, int code)
{
    struct machine *machine = vcpu->machine;

    switch (code) {
    case EINTR: /* kicked: the caller looks at what is wanted next; cleared before it does */
        __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        exit_stats_count_exit(machine->stats, KVM_EXIT_INTR);
        vcpu_kick_settle(vcpu->kick);
        machine->owner.kicked(machine->owner.context);
        machine_found(machine, vcpu, arch_waits_in_kvm(&machine->config) && arch_is_asleep(vcpu));
        end_if_lost(vcpu, false);
        if (machine_is_asleep(machine))
            guest_end_set(&machine->end, GUEST_END_HALTED, 0,
                          "the guest halted, and takes no interrupt that could wake it");
        break;
    case EAGAIN: /* api.rst section 4.10: not an end, KVM wants another KVM_RUN */
        break;
    default:
        end_if_lost(vcpu, true);
        guest_end_set(&machine->end, GUEST_END_ERROR, 0, "KVM gave up (KVM_RUN: %s)",
                      strerror(code));
        break;
    }
}

/* After whatever made the vCPU come out, with the machine's lock held: takes what the guest has
 * put out, and says whether it is over. The first to see the end has the others see it, too. */
static bool conclude(struct vcpu *vcpu)
{
    struct machine *machine = vcpu->machine;

    machine->owner.exited(machine->owner.context);
    vcpu->nap_ns = machine->nap_ns;
    machine->nap_ns = 0;
    if (machine->end.reason == GUEST_END_NONE)
        return false;
    machine_conclude(machine, vcpu);
    return true;
}

/* One stay in the guest. Returns whether it is over. */
static bool enter(struct vcpu *vcpu, int64_t *left)
{
    struct machine *machine = vcpu->machine;
    int64_t entered = clock_monotonic_ns(), came_out;
    int r = ioctl(vcpu->fd, KVM_RUN, 0), code = errno;
    bool over;

    came_out = clock_monotonic_ns();
    vcpu->unfinished = r == 0;
    pthread_mutex_lock(&machine->lock);
    counter_add(&machine->stats->vmm_ns, (uint64_t)(entered - *left));
    counter_add(&machine->stats->guest_ns, (uint64_t)(came_out - entered));
    machine_drain(machine);
    if (r < 0)
        handle_run_error(vcpu, code);
    else
        handle_exit(vcpu);
    over = conclude(vcpu);
    pthread_mutex_unlock(&machine->lock);
    *left = came_out;
    return over;
}

/* The exit waits for something that comes with a kick. Returns whether it is over. */
static bool try_again(struct vcpu *vcpu)
{
    struct machine *machine = vcpu->machine;
    bool over;

    pthread_mutex_lock(&machine->lock);
    machine->owner.kicked(machine->owner.context);
    if (machine->end.reason == GUEST_END_NONE)
        vcpu->again(vcpu);
    over = conclude(vcpu);
    pthread_mutex_unlock(&machine->lock);
    return over;
}

/*
 * Has KVM finish what it was about: where the guest stands, and with which registers, is to be seen
 * after that. It does so without running the guest, which may yet come out for more (api.rst
 * section 5, note on KVM_EXIT_IO; "immediate_exit"). Returns whether it is over.
 */
static bool finish(struct vcpu *vcpu, int64_t *left)
{
    bool over = false;

    while (vcpu->unfinished && !vcpu->again && !over && !atomic_load(vcpu->machine->owner.end)) {
        __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        over = enter(vcpu, left);
    }
    return over;
}

/* Lets the owner act on what the vCPU was kicked for. Returns whether it is over. */
static bool attend(struct machine *machine)
{
    bool over;

    pthread_mutex_lock(&machine->lock);
    machine->owner.kicked(machine->owner.context);
    over = machine->end.reason != GUEST_END_NONE;
    pthread_mutex_unlock(&machine->lock);
    return over;
}

/* Whether the owner wants something else than before: to end, or to pause or go on. */
static bool is_wanted_elsewhere(const struct machine_owner *owner, unsigned pause)
{
    return atomic_load(owner->pause) != pause || atomic_load(owner->end);
}

/* Stands still until the owner wants something else than `pause`. Returns whether it is over. */
static bool stand_still(struct vcpu *vcpu, unsigned pause)
{
    const struct machine_owner *owner = &vcpu->machine->owner;
    bool over;

    machine_stand(vcpu->machine, vcpu, pause);
    do {
        over = attend(vcpu->machine);
        if (over || is_wanted_elsewhere(owner, pause))
            break;
        vcpu_kick_wait(vcpu->kick, UINT64_MAX);
    } while (true);
    machine_go_on(vcpu->machine);
    return over;
}

/*
 * The loop of a vCPU. It looks at what its owner wants, and then is in one of four places:
 *
 * - in the guest (enter()), from which a kick brings it out: see kvm/vcpu_kick.h;
 * - in an exit that waits for something from outside, input mostly (`again`). The exit is tried
 *   once, then after each kick, until it is done;
 * - in a nap, which somebody asked for with machine_nap(): a kick ends it;
 * - paused. First KVM finishes the exit that was (finish()), or the registers would be those of an
 *   instruction that is half done. An exit that waits stays as it is.
 *
 * A kick is never lost between these: it posts a semaphore for who waits, and sets immediate_exit
 * for who is about to enter the guest. What must not happen is to wait without having looked: so
 * each place lets the owner carry out its requests (attend(), or `kicked` in the exit's own
 * handling) after the kicks so far were forgotten and before the next wait, and looks at the wishes
 * once more after that.
 */
void vcpu_run(struct vcpu *vcpu)
{
    const struct machine_owner *owner = &vcpu->machine->owner;
    bool over = attend(vcpu->machine); /* what came before it could be kicked */
    int64_t left = clock_monotonic_ns();

    while (!over && !atomic_load(owner->end)) {
        unsigned pause = atomic_load(owner->pause);

        if (!(pause & 1) && !vcpu->again && vcpu->nap_ns == 0) {
            over = enter(vcpu, &left);
            continue;
        }
        /* waiting is neither the guest's time nor the VMM's */
        if (pause & 1) {
            over = finish(vcpu, &left) || stand_still(vcpu, pause);
        } else if (vcpu->again) {
            over = try_again(vcpu);
            if (vcpu->again && !over && !is_wanted_elsewhere(owner, pause))
                vcpu_kick_wait(vcpu->kick, UINT64_MAX);
        } else {
            vcpu_kick_wait(vcpu->kick, vcpu->nap_ns);
            vcpu->nap_ns = 0;
        }
        left = clock_monotonic_ns();
    }
}

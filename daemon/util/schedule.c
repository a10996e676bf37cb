#include "util/schedule.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Since Linux 6.12 a thread that asks for short slices is chosen sooner; this is the shortest. */
#define SLICE_SHORT_NS UINT64_C(100000)

/* sched_setattr(2); glibc 2.36 has neither the struct nor the call. */
struct sched_attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* of SCHED_OTHER: the slice; 0: the kernel's own */
    uint64_t deadline;
    uint64_t period;
};

/* Refused, the guest only competes with the loop more than it should, or ends a little later. */
static void set_policy(pid_t tid, uint32_t policy, uint64_t slice_ns)
{
    struct sched_attributes attributes = {
        .size = sizeof(attributes),
        .policy = policy,
        .runtime = slice_ns,
    };

    (void)syscall(SYS_sched_setattr, tid, &attributes, 0);
}

void schedule_background(void)
{
    set_policy(0, SCHED_IDLE, 0);
}

void schedule_hurry(pid_t tid)
{
    set_policy(tid, SCHED_OTHER, SLICE_SHORT_NS);
}

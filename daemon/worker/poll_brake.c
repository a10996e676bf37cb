#include "worker/poll_brake.h"

#include "util/clock.h"

enum { FREE_POLLS = 32 };

#define NAP_FIRST_NS UINT64_C(50000)
#define NAP_LAST_NS  UINT64_C(2000000)

/* Polls further apart than this have work between them: an exit for each costs some 10 us. */
#define GAP_NS CLOCK_NS_PER_MS

void poll_brake_release(struct poll_brake *brake)
{
    *brake = (struct poll_brake){ 0 };
}

uint64_t poll_brake_poll(struct poll_brake *brake, int64_t cpu_ns)
{
    if (cpu_ns > brake->until_ns)
        poll_brake_release(brake);
    if (++brake->polls > FREE_POLLS) {
        brake->nap_ns = brake->nap_ns ? brake->nap_ns * 2 : NAP_FIRST_NS;
        if (brake->nap_ns > NAP_LAST_NS)
            brake->nap_ns = NAP_LAST_NS;
    }
    brake->until_ns = cpu_ns + GAP_NS;
    return brake->nap_ns;
}

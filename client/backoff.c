#include "backoff.h"

void backoff_begin(struct backoff *backoff, int64_t now_ns)
{
    bool steady = backoff->ended_ns == 0 || now_ns - backoff->ended_ns >= BACKOFF_STEADY_NS;

    backoff->began_ns = now_ns;
    if (steady)
        backoff->pause_ns = BACKOFF_FIRST_NS;
}

bool backoff_next(struct backoff *backoff, int64_t now_ns, int64_t *ret_ns)
{
    if (now_ns - backoff->began_ns >= BACKOFF_LIMIT_NS)
        return false;
    *ret_ns = now_ns + backoff->pause_ns;
    backoff->pause_ns *= 2;
    if (backoff->pause_ns > BACKOFF_LONGEST_NS)
        backoff->pause_ns = BACKOFF_LONGEST_NS;
    return true;
}

void backoff_end(struct backoff *backoff, int64_t now_ns)
{
    backoff->ended_ns = now_ns;
}

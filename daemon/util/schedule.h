/*
 * Schedule: whose turn it is on the CPU.
 *
 * Guests compute without end, a thousand of them at once; the loop thread only ever has a little to
 * do, but at once. So guests run as SCHED_IDLE (sched(7)): whoever else of this daemon wakes up
 * comes first, and a thousand guests weigh little. Against other programs the daemon counts as a
 * whole: by its cgroup, or by its session where the kernel groups by that (sched(7), "The autogroup
 * feature").
 */
#pragma once

#include <sys/types.h>

/* The calling thread computes without end, and yields to all others of the daemon. */
void schedule_background(void);

/*
 * Thread `tid` of this process is to run soon, though it was in the background. Any thread.
 * Leaving SCHED_IDLE takes CAP_SYS_NICE or RLIMIT_NICE of at least 20; without, the thread has its
 * turn among the guests that are computing, some milliseconds each.
 */
void schedule_hurry(pid_t tid);

/*
 * vmmd-worker: runs VMs of one user, for vmmd, which starts it and may go while it stays. Not for
 * people: it takes no arguments, and its descriptors are those of shared/link.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kvm/kvm_host.h"
#include "kvm/vcpu_kick.h"
#include "shared/link.h"
#include "util/bus_error.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "worker/control.h"
#include "worker/last_words.h"

/* Under the kernel's OOM killer a worker goes before the daemon does: proc(5). */
#define OOM_SCORE "500"

/* Each VM has a few descriptors: as many as we may have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* then there is what there is */
}

/* Threads of guests allocate when they begin and when they end. An arena for each of them, or for
 * each few (mallopt(3)), is memory that none of them comes to use. */
static void share_one_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
}

static void offer_to_oom_killer(void)
{
    _cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0)
        log_debug("cannot raise the OOM score: %s", strerror(errno));
}

/* A Ctrl-C at the daemon's terminal is the daemon's: it tells its workers what to do. */
static void set_signals(void)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM); /* read by the control thread */
    sigaddset(&mask, vcpu_kick_signal());
    sigprocmask(SIG_SETMASK, &mask, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN); /* a daemon that is gone is an error of a write */
    signal(SIGXFSZ, SIG_IGN); /* and a file that may not grow, one of reserving space */
    vcpu_kick_install();
    (void)bus_error_install(); /* the tick looks */
}

static bool is_started_by_vmmd(void)
{
    int type;
    socklen_t size = sizeof(type);

    return getsockopt(LINK_FD, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
           fcntl(LINK_FD, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(LINK_LISTEN_FD, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(LINK_NOTE_FD, F_SETFD, FD_CLOEXEC) == 0;
}

int main(void)
{
    struct control_setup setup = { .link_fd = LINK_FD, .listen_fd = LINK_LISTEN_FD };
    struct kvm_host host;
    struct control *control;
    int r;

    if (!is_started_by_vmmd()) {
        fprintf(stderr, "vmmd-worker: started by vmmd, and of no use without\n");
        return EXIT_FAILURE;
    }
    share_one_heap();
    set_signals();
    last_words_install(LINK_NOTE_FD);
    offer_to_oom_killer();
    raise_descriptor_limit();
    if (kvm_host_open(&host, &setup.kvm_error) == 0)
        setup.host = &host;
    r = control_new(&setup, &control);
    if (r < 0) {
        log_error("cannot start a worker: %s", strerror(-r));
        return EXIT_FAILURE;
    }
    control_run(control);
    _exit(EXIT_SUCCESS); /* threads wait for guests that will not come */
}

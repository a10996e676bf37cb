/*
 * Control: the thread of a worker that talks with the daemon. It hands guests to threads of their
 * own, asks them, and does for all of them what must go on while no daemon is there.
 */
#pragma once

#include "kvm/kvm_host.h"
#include "util/error.h"

struct control;

/* What a worker has from who started it. */
struct control_setup {
    int link_fd;                 /* taken */
    int listen_fd;               /* taken: bound, for daemons to come */
    const struct kvm_host *host; /* NULL: there is no KVM to use; kvm_error says why */
    struct error kvm_error;
};

/* Errors: -ENOMEM, -EAGAIN, or what the sockets say. Main thread. */
int control_new(const struct control_setup *setup, struct control **ret);

/* Until there is nothing left to do: no guest, and no daemon that could bring one. */
void control_run(struct control *control);

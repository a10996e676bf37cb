/*
 * vCPU: one processor of a machine, and the loop that runs it. Each has a thread of its own, which
 * makes it and runs it (api.rst section 1: vCPU ioctls come from the thread that created the vCPU).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "kvm/exits.h"
#include "kvm/vcpu_kick.h"
#include "util/error.h"

struct machine;

struct vcpu {
    struct machine *machine;
    unsigned index;
    int fd;
    struct kvm_run *run;
    struct vcpu_kick *kick;
    unsigned io_done;    /* of an exit's repeats, those that are done: see exit_fn */
    exit_fn again;       /* the exit waits for something from outside, and is tried again then */
    uint64_t nap_ns;     /* to wait before the guest goes on: see machine_nap() */
    bool paging;         /* [arch] for arch_translate(), from what reads the registers before it */
    bool unfinished;     /* KVM_RUN has something left to do for the exit that was, or to begin */
    pthread_t thread;    /* of all but the first */
    struct error *error; /* why it could not be made; while it is */
};

/* Makes vCPU `index`, which the calling thread will run. kick must outlive it. Errors: -ENODEV;
 * nothing to deinit then. */
int vcpu_init(struct vcpu *vcpu, struct machine *machine, unsigned index, struct vcpu_kick *kick,
              struct error *err);
void vcpu_deinit(struct vcpu *vcpu);

/* Runs it until the machine comes to its end or its owner wants it to. */
void vcpu_run(struct vcpu *vcpu);

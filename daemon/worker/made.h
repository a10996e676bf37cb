/*
 * Made: the machine that was made of a guest's definition, with its board and the image in it. It
 * is idle: not one instruction has run. What runs it, and writes down what came of it, is its
 * guest's thread (worker/guest_thread.c).
 *
 * All functions: the guest's thread.
 */
#pragma once

#include "device/console.h"
#include "kvm/machine.h"
#include "worker/guest.h"
#include "worker/poll_brake.h"

struct board;

struct made {
    struct guest *guest;
    struct machine machine;
    bool machine_ready;
    struct console console; /* the guest's ring and its input queue */
    struct poll_brake brake;
    struct board *board;
    struct vm_machine_record described; /* as far as it came, also where it failed */
};

/*
 * Receives the guest's files, makes its machine and loads them. The guest has its VM's file.
 * Errors: -ENOEXEC (an image is refused), -EINVAL (err->about says which parameter), -ENODEV (KVM
 * cannot), -ECANCELED (it was to end before), -ENOMEM; to be taken down all the same.
 */
int made_make(struct made *made, struct guest *guest, struct error *err);

/* Takes in what the guest has put out last, after its vCPUs stopped for good. */
void made_drain(struct made *made);

/* May take KVM longer than all that went before. */
void made_take_down(struct made *made);

/*
 * VM waiter: a call that is answered when its VM has come far enough.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rpc_call;
struct vm;

struct vm_waiter_kind {
    /* Whether the VM has come far enough. */
    int (*is_due)(const struct vm *vm);
    /* Answers the call. */
    void (*answer)(struct rpc_call *call, struct vm *vm);
    bool asks_worker; /* it is the VM's worker that is waited for: not, if that does not answer */
};

/*
 * Answers call by kind->answer: at once if that is due, else when it is; a VM that has ended must
 * be due. Fails the call with worker-silent where that is so, and with timed-out after timeout_ms
 * (UINT64_MAX: never), and forgets it if its client goes. Takes call.
 */
void vm_waiter_start(struct rpc_call *call, struct vm *vm, const struct vm_waiter_kind *kind,
                     uint64_t timeout_ms);

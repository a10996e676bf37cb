#include "rpc/vm_waiter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <event2/event.h>
#include <json-c/json.h>

#include "rpc/call.h"
#include "rpc/context.h"
#include "vm/vm.h"

struct vm_waiter {
    struct vm_observer observer;
    const struct vm_waiter_kind *kind;
    struct rpc_call *call;
    struct vm *vm;
    struct event *timer;
    uint64_t timeout_ms;
};

/* Lets go of everything but the call and the VM. */
static void release(struct vm_waiter *waiter)
{
    vm_unobserve(&waiter->observer);
    if (waiter->timer)
        event_free(waiter->timer);
    free(waiter);
}

static void fail_silent(struct rpc_call *call, const struct vm *vm)
{
    rpc_call_fail(
        call, RPC_WORKER_SILENT,
        "what runs VM '%s' does not answer; what was asked of it is done if it does again",
        vm_name(vm));
}

static bool waits_for_silence(const struct vm_waiter_kind *kind, const struct vm *vm)
{
    return kind->asks_worker && vm_is_silent(vm);
}

static void on_notice(struct vm_observer *observer, struct vm *vm, unsigned notice)
{
    struct vm_waiter *waiter = LIST_ENTRY(observer, struct vm_waiter, observer);
    const struct vm_waiter_kind *kind = waiter->kind;
    struct rpc_call *call = waiter->call;

    (void)notice;
    if (!kind->is_due(vm) && !waits_for_silence(kind, vm))
        return;
    release(waiter);
    if (kind->is_due(vm))
        kind->answer(call, vm);
    else
        fail_silent(call, vm);
    vm_unref(vm);
}

static void on_timeout(evutil_socket_t fd, short what, void *context)
{
    struct vm_waiter *waiter = context;
    struct rpc_call *call = waiter->call;
    struct vm *vm = waiter->vm;
    uint64_t timeout_ms = waiter->timeout_ms;

    (void)fd, (void)what;
    release(waiter);
    rpc_call_fail(call, RPC_TIMED_OUT, "VM '%s' is still %s after %" PRIu64 " ms", vm_name(vm),
                  vm_state_to_string(vm_state(vm)), timeout_ms);
    vm_unref(vm);
}

static void on_cancel(void *context)
{
    struct vm_waiter *waiter = context;
    struct rpc_call *call = waiter->call;
    struct vm *vm = waiter->vm;

    release(waiter);
    rpc_call_forget(call);
    vm_unref(vm);
}

/* Errors: -ENOMEM. */
static int start_timer(struct vm_waiter *waiter, struct event_base *base)
{
    struct timeval delay = { .tv_sec = (time_t)(waiter->timeout_ms / 1000),
                             .tv_usec = (suseconds_t)(waiter->timeout_ms % 1000) * 1000 };

    if (waiter->timeout_ms == UINT64_MAX)
        return 0;
    waiter->timer = event_new(base, -1, 0, on_timeout, waiter);
    event_base_update_cache_time(base); /* as for a VM's timeout */
    return waiter->timer && event_add(waiter->timer, &delay) == 0 ? 0 : -ENOMEM;
}

static void fail_without_memory(struct rpc_call *call)
{
    rpc_call_fail(call, RPC_INTERNAL_ERROR, "vmmd is out of memory");
}

void vm_waiter_start(struct rpc_call *call, struct vm *vm, const struct vm_waiter_kind *kind,
                     uint64_t timeout_ms)
{
    struct vm_waiter *waiter;

    if (kind->is_due(vm)) {
        kind->answer(call, vm);
        return;
    }
    if (waits_for_silence(kind, vm)) {
        fail_silent(call, vm);
        return;
    }
    if (rpc_call_is_unheard(call)) {
        rpc_call_forget(call);
        return;
    }
    json_object_put(call->params); /* a call that waits holds no more than it must */
    call->params = NULL;
    waiter = calloc(1, sizeof(*waiter));
    if (!waiter) {
        fail_without_memory(call);
        return;
    }
    waiter->observer.notify = on_notice;
    waiter->kind = kind;
    waiter->call = call;
    waiter->vm = vm_ref(vm);
    waiter->timeout_ms = timeout_ms;
    vm_observe(vm, &waiter->observer);
    rpc_call_on_cancel(call, on_cancel, waiter);
    if (start_timer(waiter, call->peer->context->base) < 0) {
        release(waiter);
        fail_without_memory(call);
        vm_unref(vm);
    }
}

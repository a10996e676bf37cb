/*
 * Methods: the table of what can be called, and the functions behind it.
 */
#pragma once

#include <stddef.h>

#include "rpc/param.h"

struct rpc_call;

/* Answers the call, now or later. params: the method's struct, valid until it returns; what it
 * points to belongs to the request. */
typedef void (*rpc_method_fn)(struct rpc_call *call, const void *params);

enum { RPC_PARAMS_SIZE_MAX = 256 }; /* bytes of any method's struct */

enum rpc_method_kind {
    RPC_ACTS,    /* is called whether or not anybody gets its answer */
    RPC_ASKS,    /* has nothing to do where nobody gets it */
    RPC_STREAMS, /* has nothing to do for a client that reads no more */
};

struct rpc_method {
    const char *name;
    const struct rpc_param
        *params; /* in the order of params by position; ended by RPC_PARAMS_END */
    rpc_method_fn call;
    enum rpc_method_kind kind;
};

/* The method of that name, or NULL. */
const struct rpc_method *rpc_method_find(const char *name);

/* Methods in table order; NULL past the end. */
const struct rpc_method *rpc_method_at(size_t index);

/* method_vm.c */
extern const struct rpc_param vm_start_params[];
extern const struct rpc_param vm_stop_params[];
extern const struct rpc_param vm_list_params[];
extern const struct rpc_param vm_wait_params[];
extern const struct rpc_param vm_params[]; /* of methods that take a VM and nothing else */
void method_vm_start(struct rpc_call *call, const void *params);
void method_vm_stop(struct rpc_call *call, const void *params);
void method_vm_list(struct rpc_call *call, const void *params);
void method_vm_get(struct rpc_call *call, const void *params);
void method_vm_stats(struct rpc_call *call, const void *params);
void method_vm_wait(struct rpc_call *call, const void *params);
void method_vm_pause(struct rpc_call *call, const void *params);
void method_vm_resume(struct rpc_call *call, const void *params);
void method_vm_remove(struct rpc_call *call, const void *params);

/* method_output.c */
extern const struct rpc_param vm_attach_params[];
extern const struct rpc_param vm_output_params[];
extern const struct rpc_param subscription_params[]; /* of what ends a subscription */
void method_vm_attach(struct rpc_call *call, const void *params);
void method_vm_detach(struct rpc_call *call, const void *params);
void method_vm_output(struct rpc_call *call, const void *params);

/* method_input.c */
extern const struct rpc_param vm_input_params[];
void method_vm_input(struct rpc_call *call, const void *params);

/* method_events.c */
extern const struct rpc_param events_subscribe_params[];
void method_events_subscribe(struct rpc_call *call, const void *params);
void method_events_unsubscribe(struct rpc_call *call, const void *params);

/* method_daemon.c */
extern const struct rpc_param no_params[];
void method_daemon_info(struct rpc_call *call, const void *params);
void method_daemon_workers(struct rpc_call *call, const void *params);
void method_rpc_discover(struct rpc_call *call, const void *params);

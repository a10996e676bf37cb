/*
 * Call: one request being answered, now or later. Who has the call owes it exactly one
 * rpc_call_answer() or rpc_call_fail*(), which free it.
 *
 * The answer of a request goes out by itself; those of a batch go out together (rpc/batch.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "protocol/rpc_error.h"
#include "rpc/peer.h"
#include "util/error.h"

struct json_object;
struct rpc_batch;
struct rpc_param;

struct rpc_call {
    struct peer_call waiting; /* its client waits for it */
    struct peer *peer;
    struct json_object *id;        /* owned */
    bool is_notification;          /* nothing is sent for it */
    const struct rpc_param *table; /* of its method; NULL before that is known */
    struct json_object *params;    /* owned; NULL: none */
    struct rpc_batch *batch;
};

/* A call of the peer; id is taken. batch: or NULL. Errors: NULL, out of memory. */
struct rpc_call *rpc_call_new(struct peer *peer, struct json_object *id, bool is_notification,
                              struct rpc_batch *batch);

/* Whether nobody gets the answer: then there is no need to wait for it, or to look it up. */
bool rpc_call_is_unheard(const struct rpc_call *call);

/* Until the call is answered, fn(context) is called if its client goes: to answer is still owed,
 * and goes nowhere. */
void rpc_call_on_cancel(struct rpc_call *call, void (*fn)(void *context), void *context);

/* Takes result, an array or an object; NULL: it could not be built, and the peer fails. */
void rpc_call_answer(struct rpc_call *call, struct json_object *result);

/* Ends a call that nobody hears of, without an answer. */
void rpc_call_forget(struct rpc_call *call);

/* An error of the table. */
void rpc_call_fail(struct rpc_call *call, enum rpc_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The error of the table that err->code stands for, with the parameter that err is about and its
 * value. */
void rpc_call_fail_error(struct rpc_call *call, const struct error *err);

/* The same, with more about it in data, an object that is taken; NULL: it could not be built, and
 * the peer fails. */
void rpc_call_fail_error_with(struct rpc_call *call, const struct error *err,
                              struct json_object *data);

/*
 * Subscription: what methods of all kinds of streams have in common.
 */
#pragma once

#include <stdint.h>

struct rpc_call;
struct subscription_kind;

/* Answers a call that asks for the end of a subscription. Takes call. */
void subscription_end_by_call(struct rpc_call *call, const struct subscription_kind *kind,
                              uint64_t id);

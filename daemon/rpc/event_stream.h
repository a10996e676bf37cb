/*
 * Event stream: changes of state, of one VM or of all, to one reader.
 *
 * A reader that lets CONNECTION_EVENTS_MAX bytes of them pile up is disconnected, with a line in
 * the log: better a reader that knows it has missed something than one that does not.
 */
#pragma once

#include "rpc/peer.h"

struct vm;

extern const struct subscription_kind event_stream_kind;

/* vm: or NULL, all of them. Errors: -EDQUOT, -ENOMEM. */
int event_stream_new(struct peer *peer, struct vm *vm, struct subscription **ret,
                     struct error *err);

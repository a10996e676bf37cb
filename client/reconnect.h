/*
 * Reconnect: how a command that watches something comes back when the daemon went away and another
 * one took its place.
 *
 * An outage begins when the connection is lost, and ends with the first answer of a daemon: a
 * connection alone says little, for a socket of systemd's takes it before there is a daemon, and a
 * daemon that is going down leaves it in its backlog. The user is told once of each outage that it
 * began, and once that it ended.
 *
 * During an outage client->connection is NULL, or one that nothing was heard on yet. The caller
 * polls what reconnect_fd() and reconnect_timeout_ms() tell, beside whatever else it listens to,
 * and calls reconnect_step(); or it has nothing else, and calls reconnect_block().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "client.h"
#include "util/error.h"

struct attempt;

/* Tells the user; the caller knows what is on the screen. */
typedef void (*reconnect_say_fn)(void *context, const char *sentence);

struct reconnect {
    struct client *client;
    reconnect_say_fn say;
    void *context;
    struct backoff backoff;
    struct attempt *attempt; /* under way; NULL: there is none */
    int64_t next_ns;         /* when the next is due; monotonic */
    bool away;               /* the outage was told */
    bool given_up;
    struct error err; /* what the last attempt said */
};

/* say: NULL: as report() does. */
void reconnect_init(struct reconnect *reconnect, struct client *client, reconnect_say_fn say,
                    void *context);
void reconnect_deinit(struct reconnect *reconnect);

/* What the daemon said about its end, in the params of subscription.ended. */
enum reconnect_advice {
    RECONNECT_UNADVISED, /* a reason that we do not know */
    RECONNECT_COME_BACK,
    RECONNECT_STAY_AWAY, /* to connect would start the daemon again, where systemd has its socket */
};

enum reconnect_advice reconnect_advice_of(struct json_object *params);

/* The daemon said RECONNECT_STAY_AWAY: says so, and returns the exit code. */
int reconnect_stay_away(void);

/* The connection is lost, as err says, or the daemon said RECONNECT_COME_BACK (NULL). Drops the
 * connection, and with it all that came and was not taken. */
void reconnect_begin(struct reconnect *reconnect, const struct error *err);

/* A daemon has answered; does nothing outside of an outage. */
void reconnect_end(struct reconnect *reconnect);

/* -1: nothing to poll. */
int reconnect_fd(const struct reconnect *reconnect);

/* -1: for ever. */
int reconnect_timeout_ms(const struct reconnect *reconnect);

enum reconnect_state {
    RECONNECT_CONNECTED, /* client->connection is there, and new if it was NULL before */
    RECONNECT_WAITING,
    RECONNECT_GIVEN_UP,
};

enum reconnect_state reconnect_step(struct reconnect *reconnect);

/* Waits until it is over, or until deadline_ns on the monotonic clock (INT64_MAX: for ever), which
 * is RECONNECT_WAITING. Signals do what they do. */
enum reconnect_state reconnect_block(struct reconnect *reconnect, int64_t deadline_ns);

/* After RECONNECT_GIVEN_UP: says so, and returns the exit code. */
int reconnect_give_up(const struct reconnect *reconnect);

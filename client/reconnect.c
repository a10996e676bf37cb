#include "reconnect.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "attempt.h"
#include "exit_code.h"
#include "field.h"
#include "report.h"
#include "util/clock.h"

static void say_plainly(void *context, const char *sentence)
{
    (void)context;
    report("%s", sentence);
}

void reconnect_init(struct reconnect *reconnect, struct client *client, reconnect_say_fn say,
                    void *context)
{
    *reconnect = (struct reconnect){
        .client = client,
        .say = say ? say : say_plainly,
        .context = context,
    };
}

void reconnect_deinit(struct reconnect *reconnect)
{
    reconnect->attempt = attempt_free(reconnect->attempt);
}

static const struct advice_row {
    const char *reason;
    enum reconnect_advice advice;
} advices[] = {
    { "restarting", RECONNECT_COME_BACK },
    { "stopping", RECONNECT_STAY_AWAY },
};

enum reconnect_advice reconnect_advice_of(struct json_object *params)
{
    const char *reason = field_text(params, "reason");

    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
        if (strcmp(advices[i].reason, reason) == 0)
            return advices[i].advice;
    return RECONNECT_UNADVISED;
}

int reconnect_stay_away(void)
{
    report("vmmd went away: it is stopping");
    return EXIT_CODE_NO_DAEMON;
}

static void schedule(struct reconnect *reconnect)
{
    reconnect->given_up =
        !backoff_next(&reconnect->backoff, clock_monotonic_ns(), &reconnect->next_ns);
}

void reconnect_begin(struct reconnect *reconnect, const struct error *err)
{
    struct client *client = reconnect->client;

    client->connection = connection_free(client->connection);
    reconnect->err = err ? *err : (struct error){ .text = "it was restarting" };
    if (!reconnect->away) {
        backoff_begin(&reconnect->backoff, clock_monotonic_ns());
        reconnect->say(reconnect->context,
                       err ? "vmmd went away; reconnecting" : "vmmd is restarting; reconnecting");
    }
    reconnect->away = true;
    schedule(reconnect);
}

void reconnect_end(struct reconnect *reconnect)
{
    if (!reconnect->away)
        return;
    reconnect->away = false;
    backoff_end(&reconnect->backoff, clock_monotonic_ns());
    reconnect->say(reconnect->context, "connected again");
}

int reconnect_fd(const struct reconnect *reconnect)
{
    return reconnect->attempt ? attempt_fd(reconnect->attempt) : -1;
}

int reconnect_timeout_ms(const struct reconnect *reconnect)
{
    int64_t left_ns = reconnect->next_ns - clock_monotonic_ns();

    if (reconnect->client->connection || reconnect->attempt)
        return -1;
    return left_ns > 0 ? (int)(left_ns / CLOCK_NS_PER_MS) + 1 : 0;
}

static void begin_attempt(struct reconnect *reconnect)
{
    int r = attempt_new(&reconnect->client->place, &reconnect->attempt);

    if (r < 0) {
        error_set(&reconnect->err, r, "cannot try to connect: %s", strerror(-r));
        schedule(reconnect);
    }
}

static void end_attempt(struct reconnect *reconnect)
{
    if (attempt_take(reconnect->attempt, &reconnect->client->connection, &reconnect->err) < 0)
        schedule(reconnect);
    reconnect->attempt = attempt_free(reconnect->attempt);
}

enum reconnect_state reconnect_step(struct reconnect *reconnect)
{
    if (reconnect->client->connection)
        return RECONNECT_CONNECTED;
    if (!reconnect->attempt && !reconnect->given_up && clock_monotonic_ns() >= reconnect->next_ns)
        begin_attempt(reconnect);
    if (reconnect->attempt && attempt_is_done(reconnect->attempt))
        end_attempt(reconnect);
    if (reconnect->client->connection)
        return RECONNECT_CONNECTED;
    return reconnect->given_up ? RECONNECT_GIVEN_UP : RECONNECT_WAITING;
}

/* The shorter of two times to poll, of which -1 is for ever. */
static int shorter_ms(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static int left_ms(int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - clock_monotonic_ns();

    if (deadline_ns == INT64_MAX)
        return -1;
    if (left_ns / CLOCK_NS_PER_MS >= INT_MAX)
        return INT_MAX;
    return left_ns > 0 ? (int)(left_ns / CLOCK_NS_PER_MS) + 1 : 0;
}

enum reconnect_state reconnect_block(struct reconnect *reconnect, int64_t deadline_ns)
{
    for (;;) {
        enum reconnect_state state = reconnect_step(reconnect);
        struct pollfd pollfd = { .fd = reconnect_fd(reconnect), .events = POLLIN };
        int timeout_ms = left_ms(deadline_ns);

        if (state != RECONNECT_WAITING || timeout_ms == 0)
            return state;
        poll(&pollfd, 1, shorter_ms(timeout_ms, reconnect_timeout_ms(reconnect)));
    }
}

int reconnect_give_up(const struct reconnect *reconnect)
{
    report("vmmd did not come back within %d s: %s", (int)(BACKOFF_LIMIT_NS / CLOCK_NS_PER_SEC),
           reconnect->err.text);
    return EXIT_CODE_NO_DAEMON;
}

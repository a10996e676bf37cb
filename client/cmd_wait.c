/* wait: for the end of VMs. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "known_vm.h"
#include "protocol/rpc_error.h"
#include "reconnect.h"
#include "report.h"
#include "units.h"
#include "util/clock.h"
#include "vm_record.h"

static const struct option_row wait_options[] = {
    { OPTION_DURATION, "timeout", 't', "TIME", "timeout_ms",
      "give up after this long: 500ms, 5s, 2m, 1h" },
    { 0 },
};

enum { NO_CODE = -1 /* it is not over */ };

struct waited {
    const char *operand;
    struct known_vm vm;
    int64_t get_id; /* of requests under way; 0: none */
    int64_t wait_id;
    bool answered;
    bool gone;                  /* the daemon does not know it any more */
    struct json_object *record; /* the answer is one of these */
    struct json_object *error;
};

struct wait {
    struct client *client;
    struct reconnect reconnect;
    struct waited *vms;
    size_t count;
    size_t shown;        /* the first so many, in their order */
    int64_t timeout_ms;  /* -1: none */
    int64_t deadline_ns; /* monotonic; INT64_MAX: none */
    bool again;          /* it was asked before, of a daemon that went away */
    bool subscribed;     /* to be told how the daemon goes */
    bool stopping;       /* it said so: what was not answered will not be */
    int code;            /* NO_CODE: go on */
};

/* Asking. */

static void send_request(struct wait *wait, const char *method, struct json_object *params,
                         int64_t *ret_id)
{
    int code = client_send(wait->client, method, params, NULL, ret_id);

    if (code != EXIT_CODE_OK)
        wait->code = code;
}

/* Asks for all that were not answered yet which VM that is; at first, whom the operand means. */
static void send_gets(struct wait *wait)
{
    wait->subscribed = false;
    for (size_t i = 0; i < wait->count && wait->code == NO_CODE; i++) {
        struct waited *waited = &wait->vms[i];

        if (!waited->answered)
            send_request(wait, "vm.get",
                         waited->vm.id > 0 ? known_vm_params(&waited->vm)
                                           : client_vm_params(waited->operand),
                         &waited->get_id);
    }
}

/* Only who has a subscription is told whether the daemon comes back. The events of one VM are the
 * fewest there are. */
static void subscribe(struct wait *wait, const struct known_vm *vm)
{
    int64_t id;

    if (!wait->subscribed)
        send_request(wait, "events.subscribe", known_vm_params(vm), &id);
    wait->subscribed = true;
}

static int64_t left_ms(const struct wait *wait)
{
    int64_t left_ns = wait->deadline_ns - clock_monotonic_ns();

    return left_ns > 0 ? left_ns / CLOCK_NS_PER_MS : 0;
}

static void send_wait(struct wait *wait, struct waited *waited)
{
    struct json_object *params = known_vm_params(&waited->vm);

    if (wait->timeout_ms >= 0)
        json_object_object_add(
            params, "timeout_ms",
            json_object_new_int64(wait->again ? left_ms(wait) : wait->timeout_ms));
    send_request(wait, "vm.wait", params, &waited->wait_id);
}

/* Hearing. */

static void on_got(struct wait *wait, struct waited *waited, struct json_object *record)
{
    if (waited->vm.id > 0 && !known_vm_is(&waited->vm, record)) {
        waited->answered = waited->gone = true;
        return;
    }
    known_vm_learn(&waited->vm, record);
    subscribe(wait, &waited->vm);
    if (wait->code == NO_CODE)
        send_wait(wait, waited);
}

/* What was asked the second time had less time left: the sentence shall have the time given. */
static void restore_timeout(const struct wait *wait, const struct waited *waited,
                            struct json_object *error)
{
    char text[UNITS_TEXT_SIZE], sentence[256];

    if (!wait->again || field_integer(error, "code") != RPC_TIMED_OUT)
        return;
    snprintf(sentence, sizeof(sentence), "VM '%s' (%" PRId64 ") has not ended after %s",
             waited->vm.name, waited->vm.id,
             units_format_duration(wait->timeout_ms * CLOCK_NS_PER_MS, text));
    json_object_object_add(error, "message", json_object_new_string(sentence));
}

static void on_error(struct wait *wait, struct waited *waited, struct json_object *error)
{
    waited->answered = true;
    waited->gone = waited->vm.id > 0 && field_integer(error, "code") == RPC_VM_NOT_FOUND;
    waited->error = json_object_get(error);
    restore_timeout(wait, waited, waited->error);
}

static struct waited *find(struct wait *wait, int64_t id)
{
    for (size_t i = 0; i < wait->count; i++)
        if (id > 0 && (wait->vms[i].get_id == id || wait->vms[i].wait_id == id))
            return &wait->vms[i];
    return NULL;
}

static void on_answer(struct wait *wait, const struct incoming *incoming)
{
    struct waited *waited = find(wait, incoming->id);

    reconnect_end(&wait->reconnect);
    if (!waited && incoming->error && incoming->id == 0) {
        wait->code = client_refused(wait->client, incoming->error);
    } else if (waited && incoming->error) {
        on_error(wait, waited, incoming->error);
    } else if (waited && incoming->id == waited->get_id) {
        on_got(wait, waited, incoming->result);
    } else if (waited) {
        waited->answered = true;
        waited->record = json_object_get(incoming->result);
    }
}

static void lose_connection(struct wait *wait, const struct error *err)
{
    for (size_t i = 0; i < wait->count; i++)
        wait->vms[i].get_id = wait->vms[i].wait_id = 0;
    wait->again = true;
    reconnect_begin(&wait->reconnect, err);
}

static void on_notification(struct wait *wait, const struct incoming *incoming)
{
    if (strcmp(incoming->method, "subscription.ended") != 0)
        return;
    switch (reconnect_advice_of(incoming->params)) {
    case RECONNECT_COME_BACK:
        lose_connection(wait, NULL);
        break;
    case RECONNECT_STAY_AWAY:
        wait->stopping = true;
        break;
    case RECONNECT_UNADVISED:
        break;
    }
}

static void handle_incoming(struct wait *wait)
{
    struct incoming incoming;

    while (wait->code == NO_CODE && wait->client->connection &&
           connection_take(wait->client->connection, &incoming)) {
        if (incoming.method)
            on_notification(wait, &incoming);
        else
            on_answer(wait, &incoming);
        incoming_deinit(&incoming);
    }
}

/* The time is up, and nobody is there to say what became of them. */
static void time_out_away(struct wait *wait)
{
    char text[UNITS_TEXT_SIZE];

    report("vmmd is away, and it is not known what ended within %s",
           units_format_duration(wait->timeout_ms * CLOCK_NS_PER_MS, text));
    wait->code = EXIT_CODE_FAILED;
}

static void try_again(struct wait *wait)
{
    switch (reconnect_block(&wait->reconnect, wait->deadline_ns)) {
    case RECONNECT_CONNECTED:
        send_gets(wait);
        break;
    case RECONNECT_WAITING:
        time_out_away(wait);
        break;
    case RECONNECT_GIVEN_UP:
        wait->code = reconnect_give_up(&wait->reconnect);
        break;
    }
}

/* Waits for something to read; false: the time is up before anybody was heard. A daemon that was
 * heard sees to the time itself. */
static bool poll_connection(struct wait *wait)
{
    struct pollfd pollfd = { .fd = connection_fd(wait->client->connection), .events = POLLIN };

    for (;;) {
        bool bounded = wait->reconnect.away && wait->timeout_ms >= 0;
        int64_t ms = bounded ? left_ms(wait) + 1 : -1;
        int n = poll(&pollfd, 1, ms < INT32_MAX ? (int)ms : INT32_MAX);

        if (n > 0)
            return true;
        if (n == 0 && bounded && left_ms(wait) == 0)
            return false;
    }
}

static void receive(struct wait *wait)
{
    struct error err;
    int r;

    if (!poll_connection(wait)) {
        time_out_away(wait);
        return;
    }
    r = connection_receive(wait->client->connection, false, &err);
    if (r == -ECONNRESET)
        lose_connection(wait, &err);
    else if (r < 0)
        wait->code = client_fail(&err);
}

/* Showing. */

static int show(struct wait *wait, const struct waited *waited)
{
    if (waited->gone)
        return known_vm_gone(&waited->vm, wait->client);
    if (waited->error)
        return client_refused(wait->client, waited->error);
    if (wait->client->json)
        client_print_json(waited->record);
    else
        vm_record_answer_end(waited->record);
    return exit_code_of_guest(field_get(waited->record, "exit"));
}

/* What can be shown in the order of the operands. Returns code, or the first that is not 0. */
static int show_answered(struct wait *wait, int code)
{
    while (wait->shown < wait->count && wait->vms[wait->shown].answered) {
        int one = show(wait, &wait->vms[wait->shown++]);

        if (code == EXIT_CODE_OK)
            code = one;
    }
    return code;
}

static int wait_for_all(struct wait *wait)
{
    int code = EXIT_CODE_OK;

    send_gets(wait);
    while (wait->code == NO_CODE) {
        code = show_answered(wait, code);
        if (wait->shown == wait->count)
            return code;
        if (wait->stopping)
            return reconnect_stay_away();
        if (wait->client->connection)
            receive(wait);
        else
            try_again(wait);
        handle_incoming(wait);
    }
    return wait->code;
}

static void set_timeout(struct wait *wait, struct json_object *params)
{
    int64_t now_ns = clock_monotonic_ns();

    wait->timeout_ms = field_get(params, "timeout_ms") ? field_integer(params, "timeout_ms") : -1;
    wait->deadline_ns = INT64_MAX;
    if (wait->timeout_ms >= 0 && wait->timeout_ms < (INT64_MAX - now_ns) / CLOCK_NS_PER_MS)
        wait->deadline_ns = now_ns + wait->timeout_ms * CLOCK_NS_PER_MS;
}

static void wait_deinit(struct wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        known_vm_deinit(&wait->vms[i].vm);
        json_object_put(wait->vms[i].record);
        json_object_put(wait->vms[i].error);
    }
    free(wait->vms);
    reconnect_deinit(&wait->reconnect);
}

static int wait_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_(wait_deinit) struct wait wait = { .client = client, .code = NO_CODE };

    wait.vms = calloc((size_t)arguments->operand_count, sizeof(*wait.vms));
    if (!wait.vms) {
        report("out of memory");
        return EXIT_CODE_FAILED;
    }
    wait.count = (size_t)arguments->operand_count;
    for (size_t i = 0; i < wait.count; i++)
        wait.vms[i].operand = arguments->operands[i];
    reconnect_init(&wait.reconnect, client, NULL, NULL);
    set_timeout(&wait, arguments->params);
    return wait_for_all(&wait);
}

const struct command command_wait = {
    .name = "wait",
    .operands = "VM...",
    .operands_min = 1,
    .operands_max = OPERANDS_ANY,
    .summary = "Wait until VMs have ended, and say how",
    .description =
        "The exit code is the guest's own where it ended with one, 0 if it halted, 124 after the\n"
        "VM's own time-out, 125 if it crashed or failed, 130 if it was stopped; of several VMs,\n"
        "the first that is not 0, in the order given. If --timeout passes before, it is 1.\n",
    .options = wait_options,
    .run = wait_run,
};

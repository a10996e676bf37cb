/* events: changes of state, as they come. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "known_vm.h"
#include "protocol/rpc_error.h"
#include "reconnect.h"
#include "report.h"
#include "roster.h"
#include "vm_record.h"

enum {
    NO_CODE = -1, /* it is not over */
    CLOCK_SIZE = 16,
};

struct events {
    struct client *client;
    const char *operand; /* the one VM; NULL: all */
    struct known_vm vm;  /* that one, once known */
    struct reconnect reconnect;
    struct roster roster;
    int64_t subscribe_id; /* of requests under way; 0: none */
    int64_t list_id;
    int64_t subscription;
    bool listed; /* once, so that from there on there is something to compare with */
    int code;    /* NO_CODE: go on */
};

/* Showing. */

static void print_event(struct json_object *event)
{
    struct json_object *exit = field_get(event, "exit");
    char text[VM_RECORD_TEXT_SIZE], clock[CLOCK_SIZE] = "";
    time_t now = time(NULL);
    struct tm local;

    if (localtime_r(&now, &local))
        strftime(clock, sizeof(clock), "%H:%M:%S", &local);
    if (field_integer(event, "lost") > 0)
        report("%" PRId64 " events lost", field_integer(event, "lost"));
    if (exit)
        report_answer("%s %" PRId64 " %s %s: %s: %s", clock, field_integer(event, "vm"),
                      field_text(event, "name"), field_text(event, "state"),
                      vm_record_format_exit(exit, text), field_text(exit, "message"));
    else
        report_answer("%s %" PRId64 " %s %s", clock, field_integer(event, "vm"),
                      field_text(event, "name"), field_text(event, "state"));
    fflush(stdout);
}

static void show(struct events *events, struct json_object *event)
{
    if (events->client->json)
        client_print_json(event);
    else
        print_event(event);
    /* Of one VM that has ended nothing more can come. */
    if (events->operand && vm_record_has_ended(event))
        events->code = EXIT_CODE_OK;
}

/* What was missed. */

/* The event that would have told the state that a record has. */
static struct json_object *event_of(const struct events *events, struct json_object *record)
{
    struct json_object *event = json_object_new_object();

    json_object_object_add(event, "subscription", json_object_new_int64(events->subscription));
    json_object_object_add(event, "vm", json_object_get(field_get(record, "id")));
    json_object_object_add(event, "name", json_object_get(field_get(record, "name")));
    json_object_object_add(event, "state", json_object_get(field_get(record, "state")));
    if (vm_record_has_ended(record))
        json_object_object_add(event, "exit", json_object_get(field_get(record, "exit")));
    return event;
}

static void on_changed(void *context, struct json_object *record)
{
    _cleanup_json_ struct json_object *event = event_of(context, record);

    show(context, event);
}

static void on_missing(void *context, struct json_object *vm)
{
    (void)context;
    report("VM '%s' (%" PRId64 ") has ended and was removed, how is not known",
           field_text(vm, "name"), field_integer(vm, "id"));
}

static void tell_missed(struct events *events, struct json_object *records)
{
    const struct roster_listener listener = {
        .changed = on_changed,
        .missing = on_missing,
        .context = events,
    };

    report("what changed meanwhile follows, of each VM the latest");
    roster_update(&events->roster, records, &listener);
}

/* Asking. */

static struct json_object *vm_params(const struct events *events)
{
    if (!events->operand)
        return NULL;
    return events->vm.id > 0 ? known_vm_params(&events->vm) : client_vm_params(events->operand);
}

static void send_request(struct events *events, const char *method, struct json_object *params,
                         int64_t *ret_id)
{
    int code = client_send(events->client, method, params, NULL, ret_id);

    if (code != EXIT_CODE_OK)
        events->code = code;
}

/* Subscribes before it looks at what there is: so nothing happens between. */
static void ask(struct events *events)
{
    struct json_object *all;

    send_request(events, "events.subscribe", vm_params(events), &events->subscribe_id);
    if (events->code != NO_CODE)
        return;
    roster_await_list(&events->roster);
    if (events->operand) {
        send_request(events, "vm.get", vm_params(events), &events->list_id);
        return;
    }
    all = json_object_new_object();
    json_object_object_add(all, "all", json_object_new_boolean(true));
    send_request(events, "vm.list", all, &events->list_id);
}

/* Hearing. */

/* What has ended since we subscribed has an event, which came before this and was the end. */
static void on_first_record(struct events *events, struct json_object *record)
{
    known_vm_learn(&events->vm, record);
    if (!vm_record_has_ended(record))
        return;
    report("VM '%s' (%" PRId64 ") has ended already", events->vm.name, events->vm.id);
    events->code = EXIT_CODE_OK;
}

/* result: a record, or the list of all. */
static void on_listed(struct events *events, struct json_object *result)
{
    _cleanup_json_ struct json_object *records =
        events->operand ? json_object_new_array() : json_object_get(result);
    bool first = !events->listed;

    if (events->operand)
        json_object_array_add(records, json_object_get(result));
    events->listed = true;
    if (!first && events->operand && !known_vm_is(&events->vm, result)) {
        events->code = known_vm_gone(&events->vm, events->client);
    } else if (!first) {
        tell_missed(events, records);
    } else {
        roster_update(&events->roster, records, NULL);
        if (events->operand)
            on_first_record(events, result);
    }
}

static void on_answer(struct events *events, const struct incoming *incoming)
{
    reconnect_end(&events->reconnect);
    if (incoming->error && events->vm.id > 0 &&
        field_integer(incoming->error, "code") == RPC_VM_NOT_FOUND)
        events->code = known_vm_gone(&events->vm, events->client);
    else if (incoming->error)
        events->code = client_refused(events->client, incoming->error);
    else if (incoming->id == events->subscribe_id)
        events->subscription = field_integer(incoming->result, "subscription");
    else if (incoming->id == events->list_id)
        on_listed(events, incoming->result);
}

static void on_state(struct events *events, struct json_object *params)
{
    roster_note(&events->roster, params);
    show(events, params);
}

static void lose_connection(struct events *events, const struct error *err)
{
    events->subscribe_id = events->list_id = 0;
    reconnect_begin(&events->reconnect, err);
}

static void on_ended(struct events *events, struct json_object *params)
{
    switch (reconnect_advice_of(params)) {
    case RECONNECT_COME_BACK:
        lose_connection(events, NULL);
        break;
    case RECONNECT_STAY_AWAY:
        events->code = reconnect_stay_away();
        break;
    case RECONNECT_UNADVISED:
        break;
    }
}

static const struct notification_row {
    const char *method;
    void (*handle)(struct events *events, struct json_object *params);
} notifications[] = {
    { "vm.state", on_state },
    { "subscription.ended", on_ended },
};

static void on_notification(struct events *events, const struct incoming *incoming)
{
    for (size_t i = 0; i < sizeof(notifications) / sizeof(notifications[0]); i++)
        if (strcmp(notifications[i].method, incoming->method) == 0)
            notifications[i].handle(events, incoming->params);
}

static void handle_incoming(struct events *events)
{
    struct incoming incoming;

    while (events->code == NO_CODE && events->client->connection &&
           connection_take(events->client->connection, &incoming)) {
        if (incoming.method)
            on_notification(events, &incoming);
        else
            on_answer(events, &incoming);
        incoming_deinit(&incoming);
    }
}

static void receive(struct events *events)
{
    struct error err;
    int r = connection_receive(events->client->connection, true, &err);

    if (r == -ECONNRESET)
        lose_connection(events, &err);
    else if (r < 0)
        events->code = client_fail(&err);
}

static void try_again(struct events *events)
{
    if (reconnect_block(&events->reconnect, INT64_MAX) == RECONNECT_CONNECTED)
        ask(events);
    else
        events->code = reconnect_give_up(&events->reconnect);
}

static void events_deinit(struct events *events)
{
    known_vm_deinit(&events->vm);
    roster_deinit(&events->roster);
    reconnect_deinit(&events->reconnect);
}

static int events_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_(events_deinit) struct events events = {
        .client = client,
        .operand = arguments->operands[0],
        .code = NO_CODE,
    };

    reconnect_init(&events.reconnect, client, NULL, NULL);
    ask(&events);
    while (events.code == NO_CODE) {
        if (client->connection)
            receive(&events);
        else
            try_again(&events);
        handle_incoming(&events);
    }
    return events.code;
}

const struct command command_events = {
    .name = "events",
    .operands = "[VM]",
    .operands_max = 1,
    .summary = "Show changes of state as they come",
    .description = "Of one VM until it has ended, or of all. Each line has the time, the id, the\n"
                   "name, the new state and, at the end, why.\n",
    .run = events_run,
};

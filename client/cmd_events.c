/* events: changes of state, as they come. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "report.h"
#include "vm_record.h"

enum { CLOCK_SIZE = 16 };

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

/* The next notification of a change of state. */
static int next_event(struct client *client, struct incoming *ret)
{
    struct error err;

    for (;;) {
        while (connection_take(client->connection, ret)) {
            if (ret->method && strcmp(ret->method, "vm.state") == 0)
                return EXIT_CODE_OK;
            incoming_deinit(ret);
        }
        if (connection_receive(client->connection, true, &err) < 0)
            return client_fail(&err);
    }
}

/* Until the connection ends, or one VM, after which nothing more can come. */
static int show_events(struct client *client, bool one_vm)
{
    for (;;) {
        _cleanup_incoming_ struct incoming event = { 0 };
        int code = next_event(client, &event);

        if (code != EXIT_CODE_OK)
            return code;
        if (client->json)
            client_print_json(event.params);
        else
            print_event(event.params);
        if (one_vm && vm_record_has_ended(event.params))
            return EXIT_CODE_OK;
    }
}

static int events_run(struct client *client, const struct arguments *arguments)
{
    const char *vm = arguments->operands[0];
    _cleanup_json_ struct json_object *subscribed = NULL, *record = NULL;
    int code =
        client_call(client, "events.subscribe", vm ? client_vm_params(vm) : NULL, &subscribed);

    if (code == EXIT_CODE_OK && vm)
        code = client_call(client, "vm.get", client_vm_params(vm), &record);
    if (code != EXIT_CODE_OK)
        return code;
    /* What ended before we asked has no more events. What ended since has one, already here. */
    if (vm && vm_record_has_ended(record) && !connection_has_message(client->connection)) {
        report("VM '%s' (%" PRId64 ") has ended already", field_text(record, "name"),
               field_integer(record, "id"));
        return EXIT_CODE_OK;
    }
    return show_events(client, vm);
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

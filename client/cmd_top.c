/* top: what VMs do, second by second. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "protocol/rpc_error.h"
#include "reconnect.h"
#include "report.h"
#include "screen.h"
#include "signals.h"
#include "table.h"
#include "units.h"
#include "usage.h"
#include "util/clock.h"

enum {
    NO_CODE = -1, /* it is not over */
    INTERVAL_DEFAULT_MS = 1000,
    INTERVAL_MIN_MS = 100,
    AT_ONCE_MAX = 256, /* requests under way */
};

static const struct option_row top_options[] = {
    { OPTION_DURATION, "interval", 0, "TIME", NULL, "between two looks: 500ms, 5s (1s)" },
    { OPTION_COUNT, "count", 'n', "COUNT", NULL, "end after so many" },
    { 0 },
};

struct top {
    struct client *client;
    bool full_screen;
    struct screen screen;
    struct signals signals; /* with full_screen */
    struct reconnect reconnect;
    int64_t subscribe_id; /* of a request under way; 0: none */
    bool lost;            /* the connection that was looked by; from the next look on, false */
    const char *notice;   /* in the next picture; NULL: none */
    struct usage_list before;
    struct usage_list now;
    int64_t interval_ms;
    int64_t left; /* looks to come; -1: no end */
    int code;     /* NO_CODE: go on */
    int died;     /* of this signal, at the end; 0: not */
};

static void finish(struct top *top, int code)
{
    top->code = code;
}

/* What is said of an error must stay to be seen. */
static void fail(struct top *top, const struct error *err)
{
    screen_leave(&top->screen);
    finish(top, client_fail(err));
}

/* Waiting, without being deaf. */

static void handle_signals(struct top *top)
{
    int signo = 0;

    for (;;) {
        switch (signals_next(&top->signals, &signo)) {
        case SIGNALS_NONE:
            return;
        case SIGNALS_END:
            top->died = signo;
            finish(top, EXIT_CODE_FAILED);
            break;
        case SIGNALS_STOP:
            screen_leave(&top->screen);
            signals_stop(signo);
            screen_enter(&top->screen);
            break;
        case SIGNALS_CONTINUE:
            screen_enter(&top->screen);
            break;
        }
    }
}

static void handle_keys(struct top *top)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

    if (n <= 0 || memchr(keys, 'q', (size_t)n)) /* at most 0: the terminal is gone */
        finish(top, EXIT_CODE_OK);
}

static void lose_connection(struct top *top, const struct error *err)
{
    top->lost = true;
    top->subscribe_id = 0;
    reconnect_begin(&top->reconnect, err);
}

/* Events are subscribed to for the sake of the last: what changes is seen at the next look. */
static void handle_notification(struct top *top, const struct incoming *incoming)
{
    if (strcmp(incoming->method, "subscription.ended") != 0)
        return;
    switch (reconnect_advice_of(incoming->params)) {
    case RECONNECT_COME_BACK:
        lose_connection(top, NULL);
        break;
    case RECONNECT_STAY_AWAY:
        screen_leave(&top->screen);
        finish(top, reconnect_stay_away());
        break;
    case RECONNECT_UNADVISED:
        break;
    }
}

/* Whether it could be subscribed to does not matter, but somebody answered. */
static void handle_subscribed(struct top *top)
{
    struct incoming answer;

    if (top->subscribe_id == 0 ||
        !connection_take_answer(top->client->connection, top->subscribe_id, &answer))
        return;
    top->subscribe_id = 0;
    if (answer.id == 0) { /* it takes no more connections */
        screen_leave(&top->screen);
        finish(top, client_refused(top->client, answer.error));
    } else {
        reconnect_end(&top->reconnect);
    }
    incoming_deinit(&answer);
}

static void receive(struct top *top)
{
    struct incoming incoming;
    struct error err;
    int r = connection_receive(top->client->connection, false, &err);

    if (r == -ECONNRESET)
        lose_connection(top, &err);
    else if (r < 0)
        fail(top, &err);
    if (top->client->connection)
        handle_subscribed(top);
    while (top->client->connection && top->code == NO_CODE &&
           connection_take_notification(top->client->connection, &incoming)) {
        handle_notification(top, &incoming);
        incoming_deinit(&incoming);
    }
}

static void subscribe(struct top *top)
{
    struct error err;

    if (connection_send(top->client->connection, "events.subscribe", NULL, NULL, &top->subscribe_id,
                        &err) < 0)
        fail(top, &err);
}

static void try_again(struct top *top)
{
    switch (reconnect_step(&top->reconnect)) {
    case RECONNECT_CONNECTED:
        subscribe(top);
        break;
    case RECONNECT_WAITING:
        break;
    case RECONNECT_GIVEN_UP:
        screen_leave(&top->screen);
        finish(top, reconnect_give_up(&top->reconnect));
        break;
    }
}

/* Until something happened, or timeout_ms passed; -1: for ever. */
static void wait_for_something(struct top *top, int timeout_ms)
{
    bool connected = top->client->connection;
    struct pollfd fds[] = {
        { .fd = connected ? connection_fd(top->client->connection) : reconnect_fd(&top->reconnect),
          .events = POLLIN },
        { .fd = top->full_screen ? top->signals.fd : -1, .events = POLLIN },
        { .fd = top->screen.terminal.entered ? STDIN_FILENO : -1, .events = POLLIN },
    };

    if (!connected)
        timeout_ms = reconnect_timeout_ms(&top->reconnect);
    if (poll(fds, 3, timeout_ms) < 0)
        return;
    if (fds[1].revents)
        handle_signals(top);
    if (fds[2].revents)
        handle_keys(top);
    if (!connected && top->code == NO_CODE)
        try_again(top);
    else if (fds[0].revents && top->code == NO_CODE)
        receive(top);
}

static void wait_until(struct top *top, int64_t when_ns)
{
    int64_t left_ns;

    while (top->code == NO_CODE && !top->lost && (left_ns = when_ns - clock_monotonic_ns()) > 0)
        wait_for_something(top, (int)(left_ns / CLOCK_NS_PER_MS) + 1);
}

static void wait_until_connected(struct top *top)
{
    top->lost = false;
    while (top->code == NO_CODE && !top->client->connection)
        wait_for_something(top, -1);
}

/* Looking. */

/* The result of a request that was sent; NULL: it was refused, or lost, or it is over. */
static struct json_object *take_result(struct top *top, int64_t id)
{
    struct json_object *result = NULL;
    struct incoming answer;

    while (top->code == NO_CODE && !top->lost) {
        if (!connection_take_answer(top->client->connection, id, &answer)) {
            wait_for_something(top, -1);
            continue;
        }
        result = json_object_get(answer.result);
        /* A VM that was removed since it was listed is no news. */
        if (answer.error && field_integer(answer.error, "code") != RPC_VM_NOT_FOUND) {
            screen_leave(&top->screen);
            finish(top, client_refused(top->client, answer.error));
        }
        incoming_deinit(&answer);
        break;
    }
    return result;
}

static bool request(struct top *top, const char *method, struct json_object *params, int64_t *ret)
{
    struct error err;

    if (connection_send(top->client->connection, method, params, NULL, ret, &err) == 0)
        return true;
    fail(top, &err);
    return false;
}

static struct json_object *stats_params(const struct usage *usage)
{
    struct json_object *params = json_object_new_object();

    json_object_object_add(params, "vm", json_object_new_int64(usage->vm));
    return params;
}

/* Of rows [first, end) of the list. */
static void ask_stats(struct top *top, size_t first, size_t end)
{
    int64_t ids[AT_ONCE_MAX];

    for (size_t i = first; i < end; i++)
        if (!request(top, "vm.stats", stats_params(&top->now.rows[i]), &ids[i - first]))
            return;
    for (size_t i = first; i < end && top->code == NO_CODE && !top->lost; i++) {
        _cleanup_json_ struct json_object *stats = take_result(top, ids[i - first]);

        usage_add_stats(&top->now.rows[i], stats);
    }
}

/* What was seen of a look that came to nothing is no picture: the one before stays. */
static void take_back(struct top *top)
{
    usage_list_deinit(&top->now);
    top->now = top->before;
    top->before = (struct usage_list){ 0 };
}

static void look(struct top *top)
{
    _cleanup_json_ struct json_object *records = NULL;
    int64_t id;

    usage_list_deinit(&top->before);
    top->before = top->now;
    top->now = (struct usage_list){ 0 };
    if (!request(top, "vm.list", NULL, &id))
        return;
    records = take_result(top, id);
    if (top->code == NO_CODE && !top->lost && usage_list_init(&top->now, records) < 0) {
        screen_leave(&top->screen);
        report("out of memory");
        finish(top, EXIT_CODE_FAILED);
    }
    for (size_t i = 0; i < top->now.count && top->code == NO_CODE && !top->lost; i += AT_ONCE_MAX)
        ask_stats(top, i, i + AT_ONCE_MAX < top->now.count ? i + AT_ONCE_MAX : top->now.count);
    if (top->lost)
        take_back(top);
    else
        usage_list_compare(&top->now, &top->before);
}

/* Showing. */

static const struct table_column columns[] = {
    { "ID", TABLE_NUMBER, TABLE_RANK_ALWAYS },
    { "NAME", TABLE_TEXT, TABLE_RANK_ALWAYS },
    { "STATE", TABLE_WORD, TABLE_RANK_ALWAYS },
    { "CPU%", TABLE_NUMBER, TABLE_RANK_ALWAYS },
    { "EXITS/S", TABLE_NUMBER, 6 },
    { "OUTPUT/S", TABLE_NUMBER, 4 },
    { "MEMORY", TABLE_NUMBER, 1 },
    { "UPTIME", TABLE_NUMBER, 3 },
    { "IMAGE", TABLE_TEXT, 2 },
};

static void add_row(struct table *table, const struct usage *usage)
{
    char units[UNITS_TEXT_SIZE];

    table_row(table);
    table_cell(table, "%" PRId64, usage->vm);
    table_cell(table, "%s", field_text(usage->record, "name"));
    table_cell(table, "%s", field_text(usage->record, "state"));
    if (usage->cpu_percent >= 0)
        table_cell(table, "%.1f", usage->cpu_percent);
    else
        table_cell(table, "-");
    table_cell(table, "%.0f", usage->exits_per_s);
    table_cell(table, "%s", units_format_size((int64_t)usage->output_per_s, units));
    table_cell(table, "%s", units_format_size(field_integer(usage->record, "memory"), units));
    table_cell(table, "%s",
               units_format_duration(field_integer(usage->record, "uptime_ns"), units));
    table_cell(table, "%s", field_text(usage->record, "image"));
}

/* The caller frees it; NULL: there is no VM, or no memory. */
static char *table_of(const struct usage_list *list)
{
    _cleanup_(table_freep) struct table *table =
        table_new(columns, sizeof(columns) / sizeof(columns[0]));
    _cleanup_free_ const struct usage **rows = usage_list_busiest(list);
    _cleanup_free_ char *text = NULL;
    char *lines;
    int n;

    if (list->count == 0 || !rows)
        return NULL;
    for (size_t i = 0; i < list->count; i++)
        add_row(table, rows[i]);
    text = table_text(table);
    n = text ? asprintf(&lines, "%s\n", text) : -1; /* the last line comes without its LF */
    return n < 0 ? NULL : lines;
}

static char *picture_of(const struct usage_list *list, const char *notice)
{
    _cleanup_free_ char *table = table_of(list);
    double cpu_percent = 0, exits_per_s = 0;
    char *picture;

    for (size_t i = 0; i < list->count; i++) {
        if (list->rows[i].cpu_percent > 0)
            cpu_percent += list->rows[i].cpu_percent;
        exits_per_s += list->rows[i].exits_per_s;
    }
    if (asprintf(&picture, "live VMs: %zu, CPU: %.1f%%, exits: %.0f/s; q quits\n%s\n%s",
                 list->count, cpu_percent, exits_per_s, notice ? notice : "",
                 table ? table : "") < 0)
        return NULL;
    return picture;
}

static struct json_object *tenths(double value)
{
    char text[64];

    snprintf(text, sizeof(text), "%.1f", value);
    return json_object_new_double_s(value, text);
}

static struct json_object *usage_json(const struct usage *usage)
{
    struct json_object *object = json_object_new_object();

    json_object_object_add(object, "id", json_object_new_int64(usage->vm));
    json_object_object_add(object, "name", json_object_get(field_get(usage->record, "name")));
    json_object_object_add(object, "state", json_object_get(field_get(usage->record, "state")));
    json_object_object_add(object, "cpu_percent",
                           usage->cpu_percent >= 0 ? tenths(usage->cpu_percent) : NULL);
    json_object_object_add(object, "exits_per_s", tenths(usage->exits_per_s));
    json_object_object_add(object, "output_per_s", tenths(usage->output_per_s));
    json_object_object_add(object, "memory", json_object_get(field_get(usage->record, "memory")));
    json_object_object_add(object, "uptime_ns",
                           json_object_get(field_get(usage->record, "uptime_ns")));
    return object;
}

static void print_json(const struct usage_list *list)
{
    _cleanup_json_ struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < list->count; i++)
        json_object_array_add(array, usage_json(&list->rows[i]));
    client_print_json(array);
}

static void show(struct top *top)
{
    _cleanup_free_ char *picture = NULL;

    if (top->client->json) {
        print_json(&top->now);
        return;
    }
    picture = top->full_screen ? picture_of(&top->now, top->notice) : table_of(&top->now);
    if (top->full_screen)
        screen_draw(&top->screen, picture ? picture : "");
    else
        printf("%s\n", picture ? picture : ""); /* a line between one and the next */
    fflush(stdout);
}

/* A line on the terminal would go through the picture. */
static void say(void *context, const char *sentence)
{
    struct top *top = context;

    if (top->full_screen)
        top->notice = sentence;
    else
        report("%s", sentence);
}

static void run(struct top *top)
{
    while (top->code == NO_CODE) {
        int64_t next_ns;

        if (top->full_screen && top->lost)
            show(top);
        wait_until_connected(top);
        next_ns = clock_monotonic_ns() + top->interval_ms * CLOCK_NS_PER_MS;
        if (top->code == NO_CODE)
            look(top);
        if (top->code != NO_CODE || top->lost)
            continue;
        show(top);
        top->notice = NULL;
        if ((top->left > 0 && --top->left == 0) || ferror(stdout))
            return;
        wait_until(top, next_ns);
    }
}

static int run_full_screen(struct top *top)
{
    int r = signals_init(&top->signals);

    if (r < 0) {
        report("cannot watch for signals: %s", strerror(-r));
        return EXIT_CODE_FAILED;
    }
    screen_enter(&top->screen);
    run(top);
    screen_leave(&top->screen);
    signals_deinit(&top->signals);
    if (top->died != 0)
        signals_die(top->died);
    return top->code == NO_CODE ? EXIT_CODE_OK : top->code;
}

static int top_run(struct client *client, const struct arguments *arguments)
{
    struct top top = { .client = client, .code = NO_CODE, .interval_ms = INTERVAL_DEFAULT_MS };
    int code;

    top.left =
        field_get(arguments->options, "count") ? field_integer(arguments->options, "count") : -1;
    if (field_get(arguments->options, "interval"))
        top.interval_ms = field_integer(arguments->options, "interval");
    if (top.interval_ms < INTERVAL_MIN_MS || top.left == 0) {
        report("--interval is 100ms at least, --count 1");
        return EXIT_CODE_USAGE;
    }
    code = client_connect(client); /* may take a while: still with signals as usual */
    if (code != EXIT_CODE_OK)
        return code;
    reconnect_init(&top.reconnect, client, say, &top);
    subscribe(&top);
    top.full_screen = screen_init(&top.screen) && !client->json;
    if (top.full_screen) {
        code = run_full_screen(&top);
    } else {
        run(&top);
        code = top.code == NO_CODE ? EXIT_CODE_OK : top.code;
    }
    usage_list_deinit(&top.before);
    usage_list_deinit(&top.now);
    reconnect_deinit(&top.reconnect);
    return code;
}

const struct command command_top = {
    .name = "top",
    .summary = "Show what live VMs do, second by second",
    .description =
        "CPU% is of one CPU: a VM that keeps two busy has 200. The first numbers are since each\n"
        "VM's start, all others since the ones before. Full-screen on a terminal, busiest first,\n"
        "where q quits; elsewhere, and with --json, a table or an array each time.\n",
    .options = top_options,
    .run = top_run,
};

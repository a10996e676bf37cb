#include "console.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_code.h"
#include "field.h"
#include "input.h"
#include "known_vm.h"
#include "output_chunk.h"
#include "protocol/rpc_error.h"
#include "reconnect.h"
#include "report.h"
#include "signals.h"
#include "sink.h"
#include "terminal.h"
#include "vm_record.h"

enum {
    KEY_DETACH = 0x1d, /* Ctrl-], as virsh console and telnet have it */
    NO_CODE = -1,      /* it is not over */
};

#define READ_SIZE ((size_t)4096)
#define AHEAD_MAX ((size_t)64 * 1024) /* of a pipe or a file: the rest can stay there */

struct console {
    struct client *client;
    const struct console_request *request;
    struct signals signals;
    struct terminal terminal;
    struct sink sink;
    struct input input;
    struct reconnect reconnect;
    int64_t start_id; /* of requests under way; 0: none */
    int64_t get_id;
    int64_t attach_id;
    int64_t input_id;
    struct known_vm vm;
    bool has_ended;           /* as was known when we attached again */
    bool positioned;          /* the stream has begun */
    int64_t position;         /* of the next byte to show */
    size_t unanswered;        /* bytes of input that may have been lost with a connection */
    struct json_object *exit; /* how the guest ended */
    bool dropping;            /* what the guest prints is not wanted any more */
    bool attached;
    bool filter;  /* standard input is read to its end */
    bool deaf;    /* the guest, and that was told */
    bool midline; /* the last byte shown was no LF */
    bool failed;  /* the output could not be written */
    unsigned interrupts;
    int code; /* NO_CODE: go on */
    int died; /* of this signal, at the end; 0: not */
};

static void finish(struct console *console, int code)
{
    console->code = code;
}

static bool is_same_file(int a, int b)
{
    struct stat first, second;

    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Before a line of our own: on a screen, or in a file, that the guest's output goes to as well, it
 * shall not begin in the middle of one of the guest's. */
static void begin_line(struct console *console)
{
    if (console->midline && is_same_file(STDOUT_FILENO, STDERR_FILENO))
        fputc('\n', stderr);
    console->midline = false;
}

static void send_request(struct console *console, const char *method, struct json_object *params,
                         const struct passed_fds *passed, int64_t *ret_id)
{
    int code = client_send(console->client, method, params, passed, ret_id);

    if (code != EXIT_CODE_OK)
        finish(console, code);
}

/* To know it again. */
static void send_get(struct console *console)
{
    send_request(console, "vm.get", known_vm_params(&console->vm), NULL, &console->get_id);
}

static void send_attach(struct console *console)
{
    struct json_object *params = known_vm_params(&console->vm);

    if (console->positioned)
        json_object_object_add(params, "from", json_object_new_int64(console->position));
    else if (console->request->from)
        json_object_object_add(params, "from", json_object_get(console->request->from));
    send_request(console, "vm.attach", params, NULL, &console->attach_id);
}

static void send_stop(struct console *console)
{
    struct json_object *params = known_vm_params(&console->vm);
    int64_t stop_id; /* that it has ended, the stream tells */

    json_object_object_add(params, "force", json_object_new_boolean(console->interrupts > 1));
    send_request(console, "vm.stop", params, NULL, &stop_id);
}

static void drop_output(struct console *console)
{
    console->dropping = true;
    sink_drop(&console->sink);
}

/* A VM of our own is asked to stop, killed the second time, left the third. */
static void end_vm(struct console *console)
{
    console->interrupts++;
    if (console->interrupts > 1)
        drop_output(console);
    if (console->interrupts > 2) {
        report("left without an answer; the VM may still run");
        finish(console, EXIT_CODE_STOPPED);
    } else if (console->reconnect.away) {
        begin_line(console);
        report("the VM is %s when vmmd is back; a third signal leaves it",
               console->interrupts > 1 ? "killed" : "stopped");
    } else if (console->vm.id > 0) {
        send_stop(console);
    }
}

static void interrupt(struct console *console, int signo)
{
    if (console->request->start) {
        end_vm(console);
    } else {
        console->died = signo;
        finish(console, EXIT_CODE_FAILED);
    }
}

/* r: what writing said. A program in a pipe that nobody reads ends by SIGPIPE, and so do we, after
 * the VM if it is our own. */
static void output_failed(struct console *console, int r)
{
    drop_output(console);
    if (r == -EPIPE || r == -EIO) { /* EIO: a terminal that was hung up */
        console->died = SIGPIPE;
    } else {
        report("cannot write the output: %s", strerror(-r));
        console->failed = true;
    }
    if (!console->request->start)
        finish(console, EXIT_CODE_FAILED);
    else if (console->interrupts == 0)
        end_vm(console);
}

static void flush_output(struct console *console)
{
    int r = sink_flush(&console->sink);

    if (r < 0)
        output_failed(console, r);
}

/* Takes bytes. */
static void show(struct console *console, char *bytes, size_t size)
{
    if (console->dropping || size == 0) {
        free(bytes);
        return;
    }
    console->midline = bytes[size - 1] != '\n';
    sink_put(&console->sink, bytes, size);
    flush_output(console);
}

static void show_json(struct console *console, struct json_object *value)
{
    size_t length;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    char *line = malloc(length + 1);

    if (!line)
        return;
    memcpy(line, text, length);
    line[length] = '\n';
    show(console, line, length + 1);
}

/* Takes the chunk's bytes. */
static void show_chunk(struct console *console, struct output_chunk *chunk)
{
    if (chunk->lost > 0 && !console->dropping) {
        begin_line(console);
        report("%" PRId64 " bytes lost", chunk->lost);
    }
    show(console, TAKE_PTR(chunk->bytes), chunk->size);
}

static void on_output(struct console *console, struct json_object *params)
{
    _cleanup_chunk_ struct output_chunk chunk = { 0 };

    if (output_chunk_read(params, &chunk) < 0) {
        report("what vmmd sent is no output");
        finish(console, EXIT_CODE_FAILED);
        return;
    }
    console->position = chunk.offset + (int64_t)chunk.size;
    if (console->client->json)
        show_json(console, params);
    else
        show_chunk(console, &chunk);
}

static void on_exited(struct console *console, struct json_object *params)
{
    if (console->client->json)
        show_json(console, params);
    console->exit = json_object_get(field_get(params, "exit"));
}

/* What was under way is over, and asked for again when there is somebody to ask. err: NULL: the
 * daemon said that it comes back. */
static void lose_connection(struct console *console, const struct error *err)
{
    console->get_id = console->attach_id = console->input_id = 0;
    console->attached = false;
    console->unanswered += input_unanswered(&console->input);
    reconnect_begin(&console->reconnect, err);
}

static void on_ended(struct console *console, struct json_object *params)
{
    switch (reconnect_advice_of(params)) {
    case RECONNECT_COME_BACK:
        lose_connection(console, NULL);
        break;
    case RECONNECT_STAY_AWAY:
        begin_line(console);
        finish(console, reconnect_stay_away());
        break;
    case RECONNECT_UNADVISED: /* then it is lost soon */
        break;
    }
}

static const struct notification_row {
    const char *method;
    void (*handle)(struct console *console, struct json_object *params);
} notifications[] = {
    { "vm.output", on_output },
    { "vm.exited", on_exited },
    { "subscription.ended", on_ended },
};

static void on_notification(struct console *console, const struct incoming *incoming)
{
    for (size_t i = 0; i < sizeof(notifications) / sizeof(notifications[0]); i++)
        if (strcmp(notifications[i].method, incoming->method) == 0)
            notifications[i].handle(console, incoming->params);
}

static void on_started(struct console *console, struct json_object *result)
{
    known_vm_learn(&console->vm, result);
    if (console->client->json)
        show_json(console, result);
    send_get(console);
    send_attach(console);
    if (console->interrupts > 0)
        send_stop(console);
}

/* The daemon that is there now has a VM of that id. */
static void on_found(struct console *console, struct json_object *record)
{
    if (!known_vm_is(&console->vm, record)) {
        finish(console, known_vm_gone(&console->vm, console->client));
        return;
    }
    console->has_ended = vm_record_has_ended(record);
    send_attach(console);
    if (console->interrupts > 0)
        send_stop(console);
}

static void on_got(struct console *console, const struct incoming *incoming, bool again)
{
    bool unknown = field_integer(incoming->error, "code") == RPC_VM_NOT_FOUND;

    if (again && unknown)
        finish(console, known_vm_gone(&console->vm, console->client));
    else if (again && incoming->error)
        finish(console, client_refused(console->client, incoming->error));
    else if (again)
        on_found(console, incoming->result);
    if (incoming->result && console->code == NO_CODE)
        known_vm_learn(&console->vm, incoming->result);
}

/* The guest that lives on may lack them; one that has ended needs no input. */
static void report_unanswered(struct console *console)
{
    if (console->unanswered > 0 && !console->has_ended) {
        begin_line(console);
        report("%zu bytes of input may not have reached the guest", console->unanswered);
    }
    console->unanswered = 0;
}

static void on_attached(struct console *console, struct json_object *result)
{
    bool again = console->positioned;

    console->attached = true;
    if (again) {
        report_unanswered(console);
        return;
    }
    console->positioned = true;
    console->position = field_integer(result, "offset");
    terminal_enter(&console->terminal);
    if (console->terminal.entered)
        report("attached to VM '%s' (%" PRId64 "); Ctrl-] detaches", console->vm.name,
               console->vm.id);
}

/* What is left of the input when the VM ends is nobody's, as with a filter that ends early. */
static void on_input_answered(struct console *console, const struct incoming *incoming)
{
    if (!incoming->error) {
        input_accepted(&console->input, incoming->result);
        return;
    }
    input_refused(&console->input);
    if (field_integer(incoming->error, "code") != RPC_WRONG_STATE) {
        begin_line(console);
        report("%s", field_text(incoming->error, "message"));
    }
}

static void on_answer(struct console *console, const struct incoming *incoming)
{
    bool again = console->reconnect.away;

    reconnect_end(&console->reconnect);
    if (console->get_id > 0 && incoming->id == console->get_id)
        on_got(console, incoming, again);
    else if (console->input_id > 0 && incoming->id == console->input_id)
        on_input_answered(console, incoming);
    else if (incoming->error)
        finish(console, client_refused(console->client, incoming->error));
    else if (incoming->id == console->start_id)
        on_started(console, incoming->result);
    else if (incoming->id == console->attach_id)
        on_attached(console, incoming->result);
}

/* As long as standard output takes what they bring. */
static void handle_incoming(struct console *console)
{
    struct incoming incoming;

    while (console->code == NO_CODE && console->client->connection &&
           !sink_is_pending(&console->sink) &&
           connection_take(console->client->connection, &incoming)) {
        if (incoming.method)
            on_notification(console, &incoming);
        else
            on_answer(console, &incoming);
        incoming_deinit(&incoming);
    }
    /* The end is the last that comes; it may still have to be written, in JSON. */
    if (console->exit && !sink_is_pending(&console->sink) && console->code == NO_CODE)
        finish(console, console->failed ? EXIT_CODE_FAILED : EXIT_CODE_OK);
}

static void receive(struct console *console)
{
    struct error err;
    int r = connection_receive(console->client->connection, false, &err);

    if (r == -ECONNRESET && console->vm.id > 0) {
        lose_connection(console, &err);
    } else if (r < 0) {
        begin_line(console);
        finish(console, client_fail(&err));
        if (r == -ECONNRESET) /* asked again, it might make a second VM */
            report_hint("it may have started the VM before; 'vmmctl list' shows what runs");
    }
}

static void try_again(struct console *console)
{
    switch (reconnect_step(&console->reconnect)) {
    case RECONNECT_CONNECTED:
        send_get(console);
        break;
    case RECONNECT_WAITING:
        break;
    case RECONNECT_GIVEN_UP:
        begin_line(console);
        finish(console, reconnect_give_up(&console->reconnect));
        break;
    }
}

static void stop_and_go_on(struct console *console, int signo)
{
    terminal_leave(&console->terminal);
    signals_stop(signo);
    terminal_enter(&console->terminal);
}

static void handle_signals(struct console *console)
{
    int signo = 0;

    for (;;) {
        switch (signals_next(&console->signals, &signo)) {
        case SIGNALS_NONE:
            return;
        case SIGNALS_END:
            interrupt(console, signo);
            break;
        case SIGNALS_STOP:
            stop_and_go_on(console, signo);
            break;
        case SIGNALS_CONTINUE:
            terminal_enter(&console->terminal);
            break;
        }
    }
}

static void send_input(struct console *console)
{
    struct json_object *params =
        console->attached ? input_next(&console->input, console->vm.id) : NULL;

    if (params)
        send_request(console, "vm.input", params, NULL, &console->input_id);
}

/* Keys that the guest does not take wait here, since behind them may come Ctrl-]. */
static void type(struct console *console, const char *keys, size_t size)
{
    int r = console->input.closed ? -EPIPE : input_add(&console->input, keys, size);

    if (r == 0)
        console->deaf = false;
    if (r == 0 || size == 0 || console->deaf || console->exit)
        return;
    console->deaf = true;
    begin_line(console);
    if (r == -EPIPE)
        report("the guest takes no more input; Ctrl-] detaches");
    else
        report("the guest does not read; what is typed from here on is dropped");
}

/* fresh: bytes of the input that were sent just now, and to no guest that has no room. */
static void detach(struct console *console, size_t fresh)
{
    size_t unsent = console->input.closed ? 0 : input_size(&console->input) - fresh;

    unsent += console->unanswered;
    terminal_leave(&console->terminal);
    begin_line(console);
    report("detached from VM '%s' (%" PRId64 "), %s", console->vm.name, console->vm.id,
           console->reconnect.away ? "while vmmd is away" : "which goes on");
    if (unsent > 0)
        report("%zu bytes that were typed may not have reached the guest", unsent);
    finish(console, EXIT_CODE_OK);
}

static void handle_keys(struct console *console)
{
    char keys[READ_SIZE];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));
    const char *way_out;
    bool waiting; /* for room */

    if (n <= 0) { /* the terminal is gone */
        console->terminal.mode = TERMINAL_KEEP;
        terminal_leave(&console->terminal);
        interrupt(console, SIGHUP);
        return;
    }
    way_out = memchr(keys, KEY_DETACH, (size_t)n);
    waiting = console->input.under_way;
    type(console, keys, way_out ? (size_t)(way_out - keys) : (size_t)n);
    if (way_out) {
        send_input(console);
        detach(console, waiting || !console->input.under_way ? 0 : console->input.sent);
    }
}

static void handle_stdin(struct console *console)
{
    char bytes[READ_SIZE];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        report("cannot read standard input: %s", strerror(errno));
    else if (n > 0 && input_add(&console->input, bytes, (size_t)n) == 0)
        return;
    else if (n > 0)
        report("out of memory; the guest gets no more input");
    input_end(&console->input);
}

static void handle_input(struct console *console)
{
    if (console->filter)
        handle_stdin(console);
    else
        handle_keys(console);
}

/* To be polled: a terminal always, for the way out; -1: not now. */
static int input_fd(const struct console *console)
{
    const struct input *input = &console->input;
    bool wanted = console->filter && console->attached && !input->ending && !input->closed &&
                  input_size(input) < AHEAD_MAX;

    return wanted || console->terminal.entered ? STDIN_FILENO : -1;
}

/* -1: for ever. */
static int timeout_ms(const struct console *console)
{
    int rest_ms = input_rest_ms(&console->input);

    if (!console->client->connection)
        return reconnect_timeout_ms(&console->reconnect);
    return rest_ms > 0 ? rest_ms : -1;
}

static int connection_or_attempt_fd(const struct console *console)
{
    if (console->client->connection)
        return connection_fd(console->client->connection);
    return reconnect_fd(&console->reconnect);
}

enum { POLL_SIGNALS, POLL_SINK, POLL_CONNECTION, POLL_INPUT, POLL_COUNT };

/* What is not wanted has descriptor -1, which poll(2) passes over. */
static void wait_for_something(struct console *console, struct pollfd fds[static POLL_COUNT])
{
    bool pending = sink_is_pending(&console->sink);

    fds[POLL_SIGNALS] = (struct pollfd){ .fd = console->signals.fd, .events = POLLIN };
    /* With no events it still tells that nobody reads any more. */
    fds[POLL_SINK] = (struct pollfd){ .fd = console->dropping ? -1 : console->sink.fd,
                                      .events = pending ? POLLOUT : 0 };
    fds[POLL_CONNECTION] =
        (struct pollfd){ .fd = pending ? -1 : connection_or_attempt_fd(console), .events = POLLIN };
    fds[POLL_INPUT] = (struct pollfd){ .fd = input_fd(console), .events = POLLIN };
    while (poll(fds, POLL_COUNT, timeout_ms(console)) < 0 && errno == EINTR)
        ;
}

static void run_loop(struct console *console)
{
    struct pollfd fds[POLL_COUNT];

    while (console->code == NO_CODE) {
        wait_for_something(console, fds);
        if (fds[POLL_SIGNALS].revents)
            handle_signals(console);
        if (fds[POLL_SINK].revents & POLLOUT)
            flush_output(console);
        else if (fds[POLL_SINK].revents)
            output_failed(console, -EPIPE);
        if (fds[POLL_INPUT].revents && console->code == NO_CODE)
            handle_input(console);
        if (!console->client->connection && console->code == NO_CODE)
            try_again(console);
        else if (fds[POLL_CONNECTION].revents && console->code == NO_CODE)
            receive(console);
        if (console->code == NO_CODE)
            handle_incoming(console);
        if (console->code == NO_CODE)
            send_input(console);
    }
}

/* The VM that there is already. */
static int identify(struct console *console)
{
    _cleanup_json_ struct json_object *record = NULL;
    int code =
        client_call(console->client, "vm.get", client_vm_params(console->request->vm), &record);

    if (code == EXIT_CODE_OK)
        known_vm_learn(&console->vm, record);
    return code;
}

/* From here on the answers lead. */
static void send_first(struct console *console)
{
    const struct console_request *request = console->request;

    if (request->start)
        send_request(console, "vm.start", json_object_get(request->start), request->passed,
                     &console->start_id);
    else
        send_attach(console);
}

static void say_how_it_ended(struct console *console)
{
    if (!console->exit || console->died == SIGPIPE)
        return;
    begin_line(console);
    vm_record_report_end(console->vm.name, console->vm.id, console->exit);
}

static void say(void *context, const char *sentence)
{
    begin_line(context);
    report("%s", sentence);
}

int console_run(struct client *client, const struct console_request *request,
                struct json_object **ret_exit)
{
    static const enum terminal_mode modes[] = {
        [CONSOLE_NO_KEYS] = TERMINAL_KEEP,
        [CONSOLE_ATTACH_KEYS] = TERMINAL_RAW,
        [CONSOLE_RUN_KEYS] = TERMINAL_INTERRUPT,
    };
    struct console console = { .client = client, .request = request, .code = NO_CODE };
    int code, r;

    *ret_exit = NULL;
    /* What may take a while: still with signals as usual. */
    code = request->start ? client_connect(client) : identify(&console);
    if (code != EXIT_CODE_OK)
        return code;
    r = signals_init(&console.signals);
    if (r < 0) {
        known_vm_deinit(&console.vm);
        report("cannot watch for signals: %s", strerror(-r));
        return EXIT_CODE_FAILED;
    }
    terminal_init(&console.terminal, modes[request->keys]);
    sink_init(&console.sink);
    reconnect_init(&console.reconnect, client, say, &console);
    console.filter = request->filter && !isatty(STDIN_FILENO);

    send_first(&console);
    run_loop(&console);

    terminal_leave(&console.terminal);
    say_how_it_ended(&console);
    sink_deinit(&console.sink);
    input_deinit(&console.input);
    signals_deinit(&console.signals);
    reconnect_deinit(&console.reconnect);
    known_vm_deinit(&console.vm);
    *ret_exit = console.exit;
    if (console.died != 0)
        signals_die(console.died);
    return console.code;
}

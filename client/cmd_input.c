/* input: what a guest reads, without a console. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "input.h"
#include "report.h"

enum { READ_SIZE = 4096 };

static const struct option_row input_options[] = {
    { OPTION_ON, "no-newline", 'n', NULL, NULL, "no LF behind TEXT" },
    { OPTION_ON, "eof", 0, NULL, NULL, "and then the end of the guest's input" },
    { 0 },
};

struct delivery {
    struct client *client;
    int64_t vm;
    struct input input;
    int64_t accepted;
};

static int add(struct delivery *delivery, const char *bytes, size_t size)
{
    int r = input_add(&delivery->input, bytes, size);

    if (r < 0)
        report("cannot send the input: %s", strerror(-r));
    return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

/* All that was added; waits for the guest to make room. */
static int deliver(struct delivery *delivery)
{
    for (;;) {
        _cleanup_json_ struct json_object *result = NULL;
        struct json_object *params;
        int code;

        poll(NULL, 0, input_rest_ms(&delivery->input));
        params = input_next(&delivery->input, delivery->vm);
        if (!params)
            return EXIT_CODE_OK;
        code = client_call(delivery->client, "vm.input", params, &result);
        if (code != EXIT_CODE_OK)
            return code;
        delivery->accepted += (int64_t)input_accepted(&delivery->input, result);
    }
}

static int deliver_text(struct delivery *delivery, const char *text, bool newline)
{
    int code = add(delivery, text, strlen(text));

    if (code == EXIT_CODE_OK && newline)
        code = add(delivery, "\n", 1);
    return code == EXIT_CODE_OK ? deliver(delivery) : code;
}

/* Each piece as it comes: standard input may be a terminal, or somebody's log. */
static int deliver_stdin(struct delivery *delivery)
{
    char bytes[READ_SIZE];
    ssize_t n;

    while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) != 0) {
        int code;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            report("cannot read standard input: %s", strerror(errno));
            return EXIT_CODE_FAILED;
        }
        code = add(delivery, bytes, (size_t)n);
        if (code == EXIT_CODE_OK)
            code = deliver(delivery);
        if (code != EXIT_CODE_OK)
            return code;
    }
    return EXIT_CODE_OK;
}

static int deliver_all(struct delivery *delivery, const struct arguments *arguments)
{
    const char *text = arguments->operand_count > 1 ? arguments->operands[1] : "-";
    int code;

    if (strcmp(text, "-") == 0)
        code = deliver_stdin(delivery);
    else
        code = deliver_text(delivery, text, !field_boolean(arguments->options, "no-newline"));
    if (code != EXIT_CODE_OK || !field_boolean(arguments->options, "eof"))
        return code;
    input_end(&delivery->input);
    return deliver(delivery);
}

static int input_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *record = NULL;
    struct delivery delivery = { .client = client };
    int code = client_call(client, "vm.get", client_vm_params(arguments->operands[0]), &record);

    if (code != EXIT_CODE_OK)
        return code;
    delivery.vm = field_integer(record, "id");
    code = deliver_all(&delivery, arguments);
    input_deinit(&delivery.input);
    if (code != EXIT_CODE_OK) {
        if (delivery.accepted > 0)
            report("before that, it took %" PRId64 " bytes", delivery.accepted);
        return code;
    }
    if (client->json) {
        _cleanup_json_ struct json_object *answer = json_object_new_object();

        json_object_object_add(answer, "accepted", json_object_new_int64(delivery.accepted));
        client_print_json(answer);
    }
    return EXIT_CODE_OK;
}

const struct command command_input = {
    .name = "input",
    .operands = "VM [TEXT]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "Type to a guest",
    .description =
        "Sends TEXT and LF; without TEXT, or if that is -, standard input to its end, as it is.\n"
        "It ends when the guest, or the 64 KiB that wait for it, took all of it.\n",
    .options = input_options,
    .run = input_run,
};

/* call: any method of the wire. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "exit_code.h"
#include "field.h"
#include "protocol/limits.h"
#include "protocol/message.h"
#include "report.h"

/* Standard input to its end, as far as one request can hold it. *ret is the caller's. */
static int read_input(char **ret, size_t *ret_length)
{
    _cleanup_free_ char *text = malloc(PROTOCOL_LINE_MAX + 1);
    size_t length;

    if (!text) {
        report("out of memory");
        return EXIT_CODE_FAILED;
    }
    length = fread(text, 1, PROTOCOL_LINE_MAX + 1, stdin);
    if (ferror(stdin)) {
        report("cannot read standard input: %s", strerror(errno));
        return EXIT_CODE_FAILED;
    }
    if (length > PROTOCOL_LINE_MAX) {
        report("the parameters on standard input have more than %d bytes", PROTOCOL_LINE_MAX);
        return EXIT_CODE_USAGE;
    }
    *ret = TAKE_PTR(text);
    *ret_length = length;
    return EXIT_CODE_OK;
}

static int parse_params(const char *text, size_t length, struct json_object **ret)
{
    _cleanup_json_ struct json_object *value = NULL;
    struct json_text_fault fault = { 0 };
    int r = message_parse(text, length, &value, &fault);

    if (r == -EINVAL)
        report("the parameters are not JSON: %s, at byte %zu", fault.what, fault.offset);
    else if (r < 0)
        report("the parameters cannot be read: %s", strerror(-r));
    else if (!json_object_is_type(value, json_type_object) &&
             !json_object_is_type(value, json_type_array))
        report("the parameters must be an object or an array");
    else {
        *ret = TAKE_PTR(value);
        return EXIT_CODE_OK;
    }
    report_hint("for example: vmmctl call vm.get '{\"vm\": 1}'");
    return EXIT_CODE_USAGE;
}

static int read_params(const char *operand, struct json_object **ret)
{
    _cleanup_free_ char *text = NULL;
    size_t length;
    int code;

    if (!operand)
        return EXIT_CODE_OK;
    if (strcmp(operand, "-") != 0)
        return parse_params(operand, strlen(operand), ret);
    code = read_input(&text, &length);
    return code == EXIT_CODE_OK ? parse_params(text, length, ret) : code;
}

static int call_run(struct client *client, const struct arguments *arguments)
{
    struct json_object *params = NULL;
    _cleanup_json_ struct json_object *result = NULL;
    int code = read_params(arguments->operands[1], &params);

    if (code != EXIT_CODE_OK)
        return code;
    code = client_call(client, arguments->operands[0], params, &result);
    if (code == EXIT_CODE_USAGE) /* the command line was right: it is the request that failed */
        return EXIT_CODE_FAILED;
    if (code != EXIT_CODE_OK)
        return code;
    if (client->json)
        client_print_json(result);
    else
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY |
                                                        JSON_C_TO_STRING_SPACED |
                                                        JSON_C_TO_STRING_NOSLASHESCAPE));
    return EXIT_CODE_OK;
}

const struct command command_call = {
    .name = "call",
    .operands = "METHOD [PARAMS]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "Call a method of the wire and print its result",
    .description = "PARAMS is a JSON object or array, or - to read it from standard input. A\n"
                   "stream that a method begins ends with the call: 'attach' and 'events' show\n"
                   "streams. 'vmmctl call rpc.discover' describes all methods.\n",
    .run = call_run,
};

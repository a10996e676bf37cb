/* start, run: VMs are made here. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "console.h"
#include "exit_code.h"
#include "field.h"
#include "image_file.h"
#include "report.h"

static const struct option_row start_options[] = {
    { OPTION_TEXT, "name", 'n', "NAME", "name", "a name of its own among live VMs" },
    { OPTION_TEXT, "format", 'f', "FORMAT", "format", "how to read the image: auto, flat" },
    { OPTION_TEXT, "mode", 0, "MODE", "mode", "CPU mode at the entry of a flat image: real" },
    { OPTION_ADDRESS, "load", 'l', "ADDRESS", "load",
      "where a flat image goes and begins (0x1000)" },
    { OPTION_SIZE, "memory", 'm', "SIZE", "memory", "guest memory, such as 64M" },
    { OPTION_DURATION, "timeout", 't', "TIME", "timeout_ms",
      "end it after this long: 500ms, 5s, 2m, 1h" },
    { OPTION_SIZE, "ring", 0, "SIZE", "ring", "how much of its output is kept" },
    { OPTION_OFF, "no-coalesce", 0, NULL, "coalesce", "one VM exit for each byte of UART output" },
    { 0 },
};

/* params of vm.start, with the image that is opened. */
static int open_image(const struct arguments *arguments, int *ret_fd, struct json_object **ret)
{
    struct json_object *image;
    const char *name;
    struct error err;

    if (image_file_open(arguments->operands[0], ret_fd, &name, &err) < 0) {
        report("%s", err.text);
        return EXIT_CODE_FAILED;
    }
    image = json_object_new_object();
    json_object_object_add(image, "fd", json_object_new_boolean(true));
    json_object_object_add(image, "name", field_new_text(name));
    *ret = json_object_get(arguments->params);
    json_object_object_add(*ret, "image", image);
    return EXIT_CODE_OK;
}

static int start_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_json_ struct json_object *params = NULL, *started = NULL;
    _cleanup_close_ int fd = -1;
    int code = open_image(arguments, &fd, &params);

    if (code == EXIT_CODE_OK)
        code = client_call_with_fd(client, "vm.start", json_object_get(params), fd, &started);
    if (code != EXIT_CODE_OK)
        return code;
    if (client->json)
        client_print_json(started);
    else
        printf("%" PRId64 "\n", field_integer(started, "id"));
    return EXIT_CODE_OK;
}

const struct command command_start = {
    .name = "start",
    .operands = "IMAGE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Make a VM of an image, run it, print its id",
    .description = "IMAGE is a file, or - for standard input. The VM goes on by itself; all it "
                   "prints is\nkept for 'attach' and 'logs'.\n",
    .options = start_options,
    .run = start_run,
};

static int run_run(struct client *client, const struct arguments *arguments)
{
    struct console_request request = {
        .image_fd = -1,
        .keys = client->json ? CONSOLE_NO_KEYS : CONSOLE_RUN_KEYS,
    };
    _cleanup_json_ struct json_object *params = NULL, *exit = NULL;
    _cleanup_close_ int fd = -1;
    int code = open_image(arguments, &fd, &params);

    if (code != EXIT_CODE_OK)
        return code;
    request.start = params;
    request.image_fd = fd;
    code = console_run(client, &request, &exit);
    return code == EXIT_CODE_OK && exit ? exit_code_of_guest(exit) : code;
}

const struct command command_run = {
    .name = "run",
    .operands = "IMAGE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Start a VM, show its output, exit with its code",
    .description =
        "IMAGE is a file, or - for standard input. Standard output gets what the guest prints and\n"
        "nothing else. Ctrl-C stops the VM, a second time kills it; so do SIGTERM and SIGHUP, and\n"
        "the end of whoever reads the output. On a terminal, Ctrl-] detaches: the VM goes on.\n"
        "\n"
        "The exit code is the guest's own where it ended with one, 0 if it halted, 124 after\n"
        "--timeout, 125 if it crashed or failed, 130 if it was stopped.\n",
    .options = start_options,
    .run = run_run,
};

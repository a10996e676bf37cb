/* start, run: VMs are made here. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "console.h"
#include "exit_code.h"
#include "field.h"
#include "image_set.h"

static const struct option_row start_options[] = {
    { OPTION_TEXT, "name", 'n', "NAME", "name", "a name of its own among live VMs" },
    { OPTION_TEXT, "format", 'f', "FORMAT", "format",
      "its format: auto, flat, rom, multiboot, elf, linux" },
    { OPTION_TEXT, "mode", 0, "MODE", "mode",
      "CPU mode a flat image begins in: real, protected, long; riscv64: supervisor" },
    { OPTION_ADDRESS, "load", 'l', "ADDRESS", "load",
      "where a flat image goes (0x1000; riscv64: 0x80000000)" },
    { OPTION_ADDRESS, "entry", 0, "ADDRESS", "entry",
      "where a flat image begins (where it is loaded)" },
    { OPTION_TEXT, "machine", 0, "MACHINE", "machine",
      "what is around the CPU: auto, bare, pc; riscv64: virt" },
    { OPTION_COUNT, "cpus", 0, "COUNT", "cpus", "how many CPUs, with --machine pc or virt" },
    { OPTION_TEXT, "append", 0, "TEXT", "append", "command line of a linux or multiboot image" },
    { OPTION_PATH, "initrd", 0, "FILE", NULL, "initial RAM disk of a linux image" },
    { OPTION_PATHS, "module", 0, "FILE", NULL,
      "multiboot module, or FILE,ARGUMENTS; again for another" },
    { OPTION_SIZE, "memory", 'm', "SIZE", "memory", "guest memory, such as 64M" },
    { OPTION_DURATION, "timeout", 't', "TIME", "timeout_ms",
      "end it after this long: 500ms, 5s, 2m, 1h" },
    { OPTION_SIZE, "ring", 0, "SIZE", "ring", "how much of its output is kept" },
    { OPTION_OFF, "no-coalesce", 0, NULL, "coalesce", "one VM exit for each byte of UART output" },
    { 0 },
};

static int start_run(struct client *client, const struct arguments *arguments)
{
    _cleanup_(image_set_close) struct passed_fds passed = { 0 };
    _cleanup_json_ struct json_object *started = NULL;
    int code = image_set_open(arguments, arguments->params, &passed);

    if (code == EXIT_CODE_OK)
        code = client_call_with_fds(client, "vm.start", json_object_get(arguments->params), &passed,
                                    &started);
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
    _cleanup_(image_set_close) struct passed_fds passed = { 0 };
    const struct console_request request = {
        .start = arguments->params,
        .passed = &passed,
        .keys = client->json ? CONSOLE_NO_KEYS : CONSOLE_RUN_KEYS,
        .filter = true,
    };
    _cleanup_json_ struct json_object *exit = NULL;
    int code = image_set_open(arguments, arguments->params, &passed);

    if (code != EXIT_CODE_OK)
        return code;
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
        "nothing else. Standard input, to its end, is the guest's, unless it is a terminal and\n"
        "standard output is none: so a guest can be a filter.\n"
        "\n"
        "Ctrl-C stops the VM, a second time kills it; so do SIGTERM and SIGHUP, and the end of\n"
        "whoever reads the output. On a terminal, Ctrl-] detaches, and the VM goes on; all other\n"
        "keys are the guest's.\n"
        "\n"
        "The exit code is the guest's own where it ended with one, 0 if it halted, 124 after\n"
        "--timeout, 125 if it crashed or failed, 130 if it was stopped.\n",
    .options = start_options,
    .run = run_run,
};

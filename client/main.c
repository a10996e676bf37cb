/*
 * vmmctl: the client of vmmd. Reads the command line and hands over to the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "exit_code.h"
#include "report.h"

/* A descriptor 0, 1 or 2 that the caller closed would be given to the next file or socket opened,
 * and what is printed would go there. */
static void open_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int usage_failed(const char *command)
{
    if (command)
        report_hint("'vmmctl help %s' shows its options", command);
    else
        report_hint("'vmmctl help' lists the commands");
    return EXIT_CODE_USAGE;
}

static int run_command(int argc, char **argv, struct arguments *arguments)
{
    const struct command *command = command_find(argv[0]);
    _cleanup_(client_deinit) struct client client = { 0 };

    if (!command) {
        report("there is no command '%s'", argv[0]);
        return usage_failed(NULL);
    }
    argv[0] = (char[]){ "vmmctl" }; /* what getopt_long(3) begins its messages with */
    if (arguments_read(argc, argv, command->options, ARGUMENTS_OF_COMMAND, arguments) < 0)
        return usage_failed(command->name);
    if (arguments->help) {
        command_print_help(command, stdout);
        return EXIT_CODE_OK;
    }
    if (!command_accepts(command, arguments->operand_count))
        return usage_failed(command->name);

    client.socket_option = arguments->socket;
    client.json = arguments->json;
    client.command = command->name;
    return command->run(&client, arguments);
}

static int run(int argc, char **argv)
{
    _cleanup_(arguments_deinit) struct arguments arguments = { 0 };

    argv[0] = (char[]){ "vmmctl" };
    if (arguments_read(argc, argv, NULL, ARGUMENTS_BEFORE_COMMAND, &arguments) < 0)
        return usage_failed(NULL);
    if (arguments.version) {
        puts("vmmctl " VMMD_VERSION);
        return EXIT_CODE_OK;
    }
    if (arguments.help) {
        command_print_overview(stdout);
        return EXIT_CODE_OK;
    }
    if (arguments.operand_count == 0) {
        command_print_overview(stderr);
        return EXIT_CODE_USAGE;
    }
    return run_command(arguments.operand_count, arguments.operands, &arguments);
}

int main(int argc, char **argv)
{
    int code;

    open_standard_descriptors();
    setlocale(LC_CTYPE, "");
    code = run(argc, argv);

    /* A full disk shows only here; a closed pipe has ended us already, as it does cat. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_CODE_OK) {
        report("cannot write to standard output: %s", strerror(errno));
        return EXIT_CODE_FAILED;
    }
    return code;
}

#include "command.h"

#include <string.h>

#include "exit_code.h"
#include "report.h"

static const struct command *const commands[] = {
    /* in the order of --help */
    &command_start, &command_run,    &command_attach, &command_input,  &command_logs,
    &command_list,  &command_status, &command_stats,  &command_pause,  &command_resume,
    &command_stop,  &command_wait,   &command_rm,     &command_events, &command_top,
    &command_info,  &command_call,   &command_help,
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

enum { OPTION_COLUMN = 26 }; /* where the text about an option begins */

static bool is_called(const struct command *command, const char *word)
{
    if (strcmp(command->name, word) == 0)
        return true;
    for (int i = 0; i < COMMAND_ALIASES_MAX && command->aliases[i]; i++)
        if (strcmp(command->aliases[i], word) == 0)
            return true;
    return false;
}

const struct command *command_find(const char *word)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (is_called(commands[i], word))
            return commands[i];
    return NULL;
}

static void print_options(const struct option_row *rows, FILE *stream)
{
    for (; rows && rows->kind != OPTION_END; rows++) {
        int n = rows->letter ? fprintf(stream, "  -%c, --%s", rows->letter, rows->name)
                             : fprintf(stream, "      --%s", rows->name);

        if (rows->value)
            n += fprintf(stream, " %s", rows->value);
        fprintf(stream, "%*s%s\n", n < OPTION_COLUMN ? OPTION_COLUMN - n : 1, "", rows->help);
    }
}

void command_print_help(const struct command *command, FILE *stream)
{
    fprintf(stream, "Usage: vmmctl %s [OPTION]...%s%s\n", command->name,
            command->operands ? " " : "", command->operands ? command->operands : "");
    fprintf(stream, "%s.\n", command->summary);
    if (command->aliases[0]) {
        fputs("Also called:", stream);
        for (int i = 0; i < COMMAND_ALIASES_MAX && command->aliases[i]; i++)
            fprintf(stream, " %s", command->aliases[i]);
        fputc('\n', stream);
    }
    if (command->description)
        fprintf(stream, "\n%s", command->description);
    fputs("\nOptions:\n", stream);
    print_options(command->options, stream);
    print_options(arguments_common, stream);
}

void command_print_overview(FILE *stream)
{
    fputs("Usage: vmmctl COMMAND [OPTION]... [OPERAND]...\n"
          "Runs small bare-metal programs in virtual machines, and shows what they print.\n"
          "\nCommands:\n",
          stream);
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-10s%s\n", commands[i]->name, commands[i]->summary);
    fputs("\nOptions of every command:\n", stream);
    print_options(arguments_common, stream);
    fputs("\nA VM is named by its id or its name. 'vmmctl help COMMAND' tells more about one;\n"
          "'vmmctl --version' shows the version. With neither --socket nor $VMMD_SOCKET, vmmctl\n"
          "speaks to the system's vmmd, or else to a private one, which it starts.\n"
          "\nExit codes: 0 success, 1 the request failed, 2 usage, 3 no daemon. 'run' and 'wait':\n"
          "the guest's own, 0 halted, 124 timeout, 125 crashed or failed, 130 stopped.\n",
          stream);
}

bool command_accepts(const struct command *command, int operand_count)
{
    if (operand_count < command->operands_min)
        report("%s needs %s", command->name, command->operands);
    else if (command->operands_max != OPERANDS_ANY && operand_count > command->operands_max)
        report("%s takes %s%s", command->name, command->operands ? "only " : "no operand",
               command->operands ? command->operands : "");
    else
        return true;
    return false;
}

static int help_run(struct client *client, const struct arguments *arguments)
{
    const struct command *command;

    (void)client;
    if (arguments->operand_count == 0) {
        command_print_overview(stdout);
        return EXIT_CODE_OK;
    }
    command = command_find(arguments->operands[0]);
    if (!command) {
        report("there is no command '%s'", arguments->operands[0]);
        report_hint("'vmmctl help' lists the commands");
        return EXIT_CODE_USAGE;
    }
    command_print_help(command, stdout);
    return EXIT_CODE_OK;
}

const struct command command_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .operands_max = 1,
    .summary = "Tell about vmmctl or one of its commands",
    .run = help_run,
};

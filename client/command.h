/*
 * Command: one word of vmmctl's command line and all that is to know about it.
 *
 * A new command is its struct, beside its handler in the file of its family, a declaration here,
 * and a line in the table in command.c. Help, usage errors and completion follow from that.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "arguments.h"
#include "client.h"

enum { COMMAND_ALIASES_MAX = 3, OPERANDS_ANY = -1 };

/* What a command does; returns the exit code. */
typedef int (*command_fn)(struct client *client, const struct arguments *arguments);

struct command {
    const char *name;
    const char *aliases[COMMAND_ALIASES_MAX]; /* ended by NULL where fewer */
    const char *operands;                     /* as --help shows them; NULL: none */
    int operands_min;
    int operands_max; /* or OPERANDS_ANY */
    const char *summary;
    const char *description;          /* more for --help, lines ended by LF; NULL: no more */
    const struct option_row *options; /* NULL: only the common ones */
    command_fn run;
};

extern const struct command command_start, command_run;
extern const struct command command_attach, command_logs, command_input;
extern const struct command command_pause, command_resume;
extern const struct command command_stop, command_wait, command_rm;
extern const struct command command_list, command_status, command_stats, command_info;
extern const struct command command_events, command_top;
extern const struct command command_call;
extern const struct command command_help;

/* By name or alias; NULL: no such command. */
const struct command *command_find(const char *word);

void command_print_help(const struct command *command, FILE *stream);
void command_print_overview(FILE *stream);

/* Whether there are as many operands as it takes; says so if not. */
bool command_accepts(const struct command *command, int operand_count);

/*
 * Arguments: a command line, read by a command's table of options.
 *
 * An option either is a parameter of the request, and its value goes into params under the
 * parameter's name, or it is the client's own, and goes into options under its own.
 */
#pragma once

#include <stdbool.h>

#include <json-c/json.h>

enum option_kind {
    OPTION_END, /* ends a table */
    OPTION_ON,  /* without value: true */
    OPTION_OFF, /* without value: false */
    OPTION_TEXT,
    OPTION_PATH,  /* for the client's own options only */
    OPTION_PATHS, /* the same, any number of times: an array */
    OPTION_COUNT,
    OPTION_SIZE,
    OPTION_ADDRESS,
    OPTION_DURATION, /* milliseconds */
    OPTION_POSITION, /* in the output: openrpc.json, "From" */
};

enum { OPTION_KIND_COUNT = OPTION_POSITION + 1 };

struct option_row {
    enum option_kind kind;
    const char *name;  /* --name */
    char letter;       /* 0: none */
    const char *value; /* what --help calls it; NULL: the option has none */
    const char *param; /* NULL: the client's own */
    const char *help;
};

struct arguments {
    struct json_object *params;
    struct json_object *options;
    char **operands; /* ended by NULL; of the argv that was read */
    int operand_count;
    const char *socket; /* NULL: not given */
    bool json;
    bool help;
    bool version; /* only before the command */
};

/* The options that every command has; --version before the command only. */
extern const struct option_row arguments_common[];

/* Options of one command, the common ones among them. */
enum { ARGUMENTS_OPTIONS_MAX = 32 };

enum arguments_where {
    ARGUMENTS_OF_COMMAND,
    ARGUMENTS_BEFORE_COMMAND, /* stops at the first operand */
};

/*
 * Reads argv[1..argc), options of the table rows (NULL: none) and the common ones. What is read
 * adds to what ret holds. Errors: -EINVAL, -E2BIG (more than ARGUMENTS_OPTIONS_MAX rows), with a
 * line on stderr.
 */
int arguments_read(int argc, char **argv, const struct option_row *rows, enum arguments_where where,
                   struct arguments *ret);
void arguments_deinit(struct arguments *arguments);

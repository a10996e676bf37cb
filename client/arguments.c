#include "arguments.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "field.h"
#include "report.h"
#include "units.h"

enum { LETTERS_SIZE = 2 + 2 * ARGUMENTS_OPTIONS_MAX };

const struct option_row arguments_common[] = {
    { OPTION_PATH, "socket", 0, "PATH", NULL, "speak to the vmmd at PATH, and start none" },
    { OPTION_ON, "json", 0, NULL, NULL, "print JSON: one value, or one per line for streams" },
    { OPTION_ON, "help", 'h', NULL, NULL, "show this" },
    { 0 },
};

static const struct option_row version_rows[] = {
    { OPTION_ON, "version", 'V', NULL, NULL, "show the version" },
    { 0 },
};

static struct json_object *value_on(const char *text)
{
    (void)text;
    return json_object_new_boolean(true);
}

static struct json_object *value_off(const char *text)
{
    (void)text;
    return json_object_new_boolean(false);
}

static struct json_object *value_text(const char *text)
{
    return field_new_text(text);
}

/* Any bytes but NUL; it is not sent. */
static struct json_object *value_path(const char *text)
{
    return json_object_new_string(text);
}

static struct json_object *value_count(const char *text)
{
    int64_t value;

    return units_parse_integer(text, &value) == 0 ? json_object_new_int64(value) : NULL;
}

static struct json_object *value_size(const char *text)
{
    int64_t value;

    return units_parse_size(text, &value) == 0 ? json_object_new_int64(value) : NULL;
}

static struct json_object *value_duration(const char *text)
{
    int64_t value;

    return units_parse_duration(text, &value) == 0 ? json_object_new_int64(value) : NULL;
}

static struct json_object *value_position(const char *text)
{
    int64_t value;

    if (strcmp(text, "start") == 0 || strcmp(text, "end") == 0)
        return json_object_new_string(text);
    if (units_parse_size(text[0] == '-' ? text + 1 : text, &value) < 0)
        return NULL;
    return json_object_new_int64(text[0] == '-' ? -value : value);
}

static const struct kind_row {                      /* none for OPTION_END */
    struct json_object *(*value)(const char *text); /* NULL: not of that kind */
    const char *expected;
} kinds[] = {
    [OPTION_ON] = { value_on, NULL },
    [OPTION_OFF] = { value_off, NULL },
    [OPTION_TEXT] = { value_text, NULL },
    [OPTION_PATH] = { value_path, NULL },
    [OPTION_PATHS] = { value_path, NULL },
    [OPTION_COUNT] = { value_count, "a number, such as 20" },
    [OPTION_SIZE] = { value_size, "a size in bytes, or with K, M or G, such as 64M" },
    [OPTION_ADDRESS] = { value_count, "an address, such as 0x7c00" },
    [OPTION_DURATION] = { value_duration,
                          "a time in seconds, or with ms, s, m or h, such as 500ms" },
    [OPTION_POSITION] = { value_position,
                          "start, end, an offset in bytes, or -N for the last N bytes" },
};

static_assert(sizeof(kinds) / sizeof(kinds[0]) == OPTION_KIND_COUNT, "a row for each kind");

/* The rows of all tables, as getopt_long(3) wants them. */
struct scanner {
    const struct option_row *rows[ARGUMENTS_OPTIONS_MAX];
    struct option options[ARGUMENTS_OPTIONS_MAX + 1];
    char letters[LETTERS_SIZE];
    int count;
};

/* Errors: -E2BIG. */
static int scanner_add(struct scanner *scanner, const struct option_row *rows)
{
    for (; rows && rows->kind != OPTION_END; rows++) {
        int has_arg = rows->value ? required_argument : no_argument;
        char letter[3] = { rows->letter, has_arg == required_argument ? ':' : '\0', '\0' };

        if (scanner->count == ARGUMENTS_OPTIONS_MAX)
            return -E2BIG;
        scanner->options[scanner->count] = (struct option){ rows->name, has_arg, NULL, 0 };
        scanner->rows[scanner->count++] = rows;
        strcat(scanner->letters, letter);
    }
    return 0;
}

static int scanner_fill(struct scanner *scanner, const struct option_row *rows,
                        enum arguments_where where)
{
    int r = 0;

    *scanner = (struct scanner){ .letters = "" };
    if (where == ARGUMENTS_BEFORE_COMMAND) {
        strcpy(scanner->letters, "+");
        r = scanner_add(scanner, version_rows);
    }
    if (r == 0)
        r = scanner_add(scanner, rows);
    if (r == 0)
        r = scanner_add(scanner, arguments_common);
    return r;
}

/* getopt_long(3) tells a long option by its index, a short one by its letter; NULL: neither. */
static const struct option_row *scanner_find(const struct scanner *scanner, int found, int index)
{
    if (found == 0)
        return scanner->rows[index];
    for (int i = 0; i < scanner->count; i++)
        if (scanner->rows[i]->letter == found)
            return scanner->rows[i];
    return NULL;
}

/* To the array of what an option was given so far. */
static void append(struct json_object *options, const char *name, struct json_object *value)
{
    struct json_object *values = field_get(options, name);

    if (!values) {
        values = json_object_new_array();
        json_object_object_add(options, name, values);
    }
    json_object_array_add(values, value);
}

static int store(const struct option_row *row, const char *text, struct arguments *ret)
{
    struct json_object *value = kinds[row->kind].value(text);

    if (!value) {
        report("--%s '%s': expected %s", row->name, text, kinds[row->kind].expected);
        return -EINVAL;
    }
    if (row->kind == OPTION_PATHS)
        append(ret->options, row->name, value);
    else if (row->param)
        json_object_object_add(ret->params, row->param, value);
    else
        json_object_object_add(ret->options, row->name, value);
    return 0;
}

static void store_common(struct arguments *ret)
{
    if (field_get(ret->options, "socket"))
        ret->socket = field_text(ret->options, "socket");
    ret->json = field_boolean(ret->options, "json");
    ret->help = field_boolean(ret->options, "help");
    ret->version = field_boolean(ret->options, "version");
}

int arguments_read(int argc, char **argv, const struct option_row *rows, enum arguments_where where,
                   struct arguments *ret)
{
    const struct option_row *row;
    struct scanner scanner;
    int found, index = 0, r;

    if (!ret->params)
        ret->params = json_object_new_object();
    if (!ret->options)
        ret->options = json_object_new_object();
    r = scanner_fill(&scanner, rows, where);
    if (r < 0) {
        report("there are more options than the %d that can be told apart", ARGUMENTS_OPTIONS_MAX);
        return r;
    }

    optind = 0; /* glibc: start afresh, with the "+" or its absence */
    while ((found = getopt_long(argc, argv, scanner.letters, scanner.options, &index)) != -1) {
        row = scanner_find(&scanner, found, index);
        if (!row || store(row, optarg, ret) < 0)
            return -EINVAL; /* getopt_long() has said what it does not know */
    }
    store_common(ret);
    ret->operands = argv + optind;
    ret->operand_count = argc - optind;
    return 0;
}

void arguments_deinit(struct arguments *arguments)
{
    json_object_put(arguments->params);
    json_object_put(arguments->options);
}

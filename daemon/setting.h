/*
 * Setting: one value of a struct, which a person sets by text; a row of that struct's table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

enum setting_type {
    SETTING_PATH,   /* char[max] */
    SETTING_SIZE,   /* uint64_t, bytes */
    SETTING_NUMBER, /* uint64_t */
    SETTING_LEVEL,  /* enum log_level */
    SETTING_KEEP,   /* bool: "end" or "keep" */
};

struct setting {
    const char *key;
    enum setting_type type;
    size_t offset;
    uint64_t min;
    uint64_t max; /* SETTING_PATH: size of the array */
    const char *fallback;
    bool fixed; /* cannot change while the daemon runs */
    const char *help;
};

/* Sets the value in `config`, the table's struct. Errors: -EINVAL, the sentence says what would be
 * accepted. */
int setting_set(const struct setting *setting, void *config, const char *value, struct error *err);

/* Whether two configs have the same value. */
bool setting_is_equal(const struct setting *setting, const void *a, const void *b);

/* Takes the value over from another config. */
void setting_copy(const struct setting *setting, void *to, const void *from);

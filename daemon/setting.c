#include "setting.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"

#define KIB UINT64_C(1024)

static int set_path(const struct setting *setting, void *field, const char *value,
                    struct error *err)
{
    if (value[0] == '\0' && setting->fallback[0] != '\0')
        return error_set(err, -EINVAL, "'%s' must be a path, not empty", setting->key);
    if (strlen(value) >= setting->max)
        return error_set(err, -EINVAL, "'%s' may have at most %" PRIu64 " bytes, not %zu",
                         setting->key, setting->max - 1, strlen(value));
    strcpy(field, value);
    return 0;
}

/* A decimal number, with K, M or G behind it where it is a size. */
static bool parse_number(const char *text, bool is_size, uint64_t *ret)
{
    static const char units[] = "KMG";
    uint64_t number, factor = 1;
    const char *unit;
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (is_size && *end) {
        unit = strchr(units, toupper((unsigned char)*end));
        if (!unit)
            return false;
        factor = KIB << (10 * (unit - units));
        end++;
    }
    *ret = number * factor;
    return *end == '\0' && number <= UINT64_MAX / factor;
}

static void format_size(uint64_t size, char *text, size_t text_size)
{
    static const char units[][2] = { "", "K", "M", "G" };
    unsigned unit = 0;

    while (unit < 3 && size % KIB == 0 && size > 0) {
        size /= KIB;
        unit++;
    }
    snprintf(text, text_size, "%" PRIu64 "%s", size, units[unit]);
}

static int set_number(const struct setting *setting, void *field, const char *value,
                      struct error *err)
{
    bool is_size = setting->type == SETTING_SIZE;
    char min[24], max[24];
    uint64_t number;

    if (parse_number(value, is_size, &number) && number >= setting->min && number <= setting->max) {
        *(uint64_t *)field = number;
        return 0;
    }
    if (!is_size)
        return error_set(err, -EINVAL,
                         "'%s' must be a number from %" PRIu64 " to %" PRIu64 ", not '%.64s'",
                         setting->key, setting->min, setting->max, value);
    format_size(setting->min, min, sizeof(min));
    format_size(setting->max, max, sizeof(max));
    return error_set(err, -EINVAL,
                     "'%s' must be a size from %s to %s, in bytes or with K, M or G, not '%.64s'",
                     setting->key, min, max, value);
}

static int set_level(const struct setting *setting, void *field, const char *value,
                     struct error *err)
{
    if (log_level_from_string(value, field) < 0)
        return error_set(err, -EINVAL, "'%s' must be error, warning, info or debug, not '%.64s'",
                         setting->key, value);
    return 0;
}

static int set_keep(const struct setting *setting, void *field, const char *value,
                    struct error *err)
{
    bool keep = strcmp(value, "keep") == 0;

    if (!keep && strcmp(value, "end") != 0)
        return error_set(err, -EINVAL, "'%s' must be end or keep, not '%.64s'", setting->key,
                         value);
    *(bool *)field = keep;
    return 0;
}

int setting_set(const struct setting *setting, void *config, const char *value, struct error *err)
{
    void *field = (char *)config + setting->offset;

    switch (setting->type) {
    case SETTING_PATH:
        return set_path(setting, field, value, err);
    case SETTING_SIZE:
    case SETTING_NUMBER:
        return set_number(setting, field, value, err);
    case SETTING_LEVEL:
        return set_level(setting, field, value, err);
    case SETTING_KEEP:
        return set_keep(setting, field, value, err);
    }
    return -EINVAL;
}

/* Bytes that the value takes in a config. */
static size_t size_of(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_PATH:
        return setting->max;
    case SETTING_SIZE:
    case SETTING_NUMBER:
        return sizeof(uint64_t);
    case SETTING_LEVEL:
        return sizeof(enum log_level);
    case SETTING_KEEP:
        return sizeof(bool);
    }
    return 0;
}

bool setting_is_equal(const struct setting *setting, const void *a, const void *b)
{
    const char *left = (const char *)a + setting->offset,
               *right = (const char *)b + setting->offset;

    /* behind a path's end may be the rest of a longer one */
    return setting->type == SETTING_PATH ? strcmp(left, right) == 0
                                         : memcmp(left, right, size_of(setting)) == 0;
}

void setting_copy(const struct setting *setting, void *to, const void *from)
{
    memcpy((char *)to + setting->offset, (const char *)from + setting->offset, size_of(setting));
}

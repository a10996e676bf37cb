#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct suffix {
    const char *text;
    int64_t factor;
};

static const struct suffix size_suffixes[] = {
    { "", 1 },
    { "K", INT64_C(1) << 10 },
    { "k", INT64_C(1) << 10 },
    { "M", INT64_C(1) << 20 },
    { "m", INT64_C(1) << 20 },
    { "G", INT64_C(1) << 30 },
    { "g", INT64_C(1) << 30 },
    { NULL, 0 }, /* the end */
};

static const struct suffix duration_suffixes[] = {
    { "", 1000 }, /* milliseconds */
    { "ms", 1 },  { "s", 1000 }, { "m", INT64_C(60) * 1000 }, { "h", INT64_C(60) * 60 * 1000 },
    { NULL, 0 }, /* the end */
};

static const struct suffix no_suffixes[] = {
    { "", 1 },
    { NULL, 0 },
};

/* Not base 0 of strtoll(): there 010 would be eight. */
static int parse_digits(const char *text, int64_t *ret, const char **ret_rest)
{
    int base = strncasecmp(text, "0x", 2) == 0 ? 16 : 10;
    const char *digits = base == 16 ? text + 2 : text;
    const char *allowed = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
    int64_t value;
    char *end;

    if (strspn(digits, allowed) == 0) /* strtoll() would skip blanks and take a sign */
        return -EINVAL;
    errno = 0;
    value = strtoll(digits, &end, base);
    if (errno == ERANGE)
        return -ERANGE;
    *ret = value;
    *ret_rest = end;
    return 0;
}

static int parse_with_suffix(const char *text, const struct suffix *suffixes, int64_t *ret)
{
    const char *rest;
    int64_t value;
    int r;

    r = parse_digits(text, &value, &rest);
    if (r < 0)
        return r;
    for (const struct suffix *suffix = suffixes; suffix->text; suffix++)
        if (strcmp(rest, suffix->text) == 0) {
            if (value > INT64_MAX / suffix->factor)
                return -ERANGE;
            *ret = value * suffix->factor;
            return 0;
        }
    return -EINVAL;
}

int units_parse_integer(const char *text, int64_t *ret)
{
    return parse_with_suffix(text, no_suffixes, ret);
}

int units_parse_size(const char *text, int64_t *ret_bytes)
{
    return parse_with_suffix(text, size_suffixes, ret_bytes);
}

int units_parse_duration(const char *text, int64_t *ret_ms)
{
    return parse_with_suffix(text, duration_suffixes, ret_ms);
}

const char *units_format_size(int64_t bytes, char text[static UNITS_TEXT_SIZE])
{
    static const char units[] = "KMGTPE";
    size_t unit = 0;
    double value;

    if (bytes < 1024) {
        snprintf(text, UNITS_TEXT_SIZE, "%" PRId64, bytes);
        return text;
    }
    value = (double)bytes / 1024;
    for (; value >= 1023.5 && unit + 2 < sizeof(units); unit++)
        value /= 1024;
    /* 9.96 would be printed as 10.0 */
    if (value < 9.95 && value != (double)(int)value)
        snprintf(text, UNITS_TEXT_SIZE, "%.1f%c", value, units[unit]);
    else
        snprintf(text, UNITS_TEXT_SIZE, "%.0f%c", value, units[unit]);
    return text;
}

const char *units_format_duration(int64_t ns, char text[static UNITS_TEXT_SIZE])
{
    static const struct {
        int64_t seconds;
        int64_t part; /* seconds in the next smaller unit */
        const char *format;
    } rows[] = {
        { 24 * 60 * 60, 60 * 60, "%" PRId64 "d%02" PRId64 "h" },
        { 60 * 60, 60, "%" PRId64 "h%02" PRId64 "m" },
        { 60, 1, "%" PRId64 "m%02" PRId64 "s" },
    };
    int64_t ms = ns > 0 ? ns / 1000000 : 0;
    int64_t seconds = ms / 1000;

    if (ms < 1) {
        snprintf(text, UNITS_TEXT_SIZE, "%" PRId64 "us", ns > 0 ? ns / 1000 : 0);
        return text;
    }
    if (seconds < 1) {
        snprintf(text, UNITS_TEXT_SIZE, "%" PRId64 "ms", ms);
        return text;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (seconds >= rows[i].seconds) {
            snprintf(text, UNITS_TEXT_SIZE, rows[i].format, seconds / rows[i].seconds,
                     seconds % rows[i].seconds / rows[i].part);
            return text;
        }
    snprintf(text, UNITS_TEXT_SIZE, "%" PRId64 ".%" PRId64 "s", seconds, ms % 1000 / 100);
    return text;
}

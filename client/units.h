/*
 * Units: sizes, addresses and lengths of time, as people write and read them.
 */
#pragma once

#include <stdint.h>

enum { UNITS_TEXT_SIZE = 32 };

/* Parsers take the whole text or fail: -EINVAL (not of that form), -ERANGE (over INT64_MAX). */

/* Decimal or 0x hexadecimal. */
int units_parse_integer(const char *text, int64_t *ret);

/* An integer, with K, M or G (either case) for powers of 1024 behind it, as in 64M. */
int units_parse_size(const char *text, int64_t *ret_bytes);

/* An integer followed by ms, s, m or h; alone it counts seconds, as in timeout(1). */
int units_parse_duration(const char *text, int64_t *ret_ms);

/* Formatters write into text and return it. */

/* At most five characters: 512, 1.5K, 64M. */
const char *units_format_size(int64_t bytes, char text[static UNITS_TEXT_SIZE]);

/* The two leading units: 12us, 350ms, 5.2s, 3m12s, 2h05m, 3d04h. */
const char *units_format_duration(int64_t ns, char text[static UNITS_TEXT_SIZE]);

/*
 * JSON text: is a line JSON at all, before json-c builds anything of it?
 *
 * json-c 0.16, in strict mode too, takes NaN, single quotes, bare control characters, `1.`,
 * overlong and surrogate UTF-8. This check is RFC 8259 to the letter, bounds the nesting without
 * recursion, and tells where a text goes wrong. It refuses two things more, because json-c would
 * quietly make others of them: integers over 64 bits (clamped) and names with a NUL (cut there).
 * And it counts the values: an empty object is two bytes of text, and over half a KiB of json-c's.
 */
#pragma once

#include <stddef.h>

struct json_text_fault {
    size_t offset;    /* byte of the line */
    const char *what; /* static: "a number needs digits after '.'" */
};

struct json_text_limits {
    unsigned depth; /* of arrays and objects in one another; up to 64 */
    size_t values;  /* in the text, arrays and objects and what is in them */
};

/*
 * Whether text[0..length) is one JSON value (RFC 8259, UTF-8 by RFC 3629) within the limits, whose
 * integers fit 64 bits, signed or unsigned, and whose names hold no \u0000.
 * Errors: -EINVAL, *ret_fault filled. Any thread.
 */
int json_text_check(const char *text, size_t length, struct json_text_limits limits,
                    struct json_text_fault *ret_fault);

/* Length of the valid UTF-8 sequence at the start of text[0..length), 1..4 (RFC 3629 section 4);
 * 0: not valid; -1: valid so far, but the text ends inside it. Any thread. */
int utf8_sequence(const char *text, size_t length);

/* Makes text valid UTF-8: each byte that is in no valid sequence becomes '?'. Any thread. */
void utf8_repair(char *text);

#include "protocol/json_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { DEPTH_LIMIT = 64 }; /* bits in scanner.objects */

struct scanner {
    const char *text;
    size_t length;
    size_t at;
    struct json_text_limits limits;
    unsigned depth;
    size_t values;
    uint64_t objects; /* bit i: level i is an object, not an array */
    bool has_nul;     /* the string scanned last holds \u0000 */
    struct json_text_fault *fault;
};

static bool fault_at(struct scanner *s, size_t offset, const char *what)
{
    *s->fault = (struct json_text_fault){ .offset = offset, .what = what };
    return false;
}

static bool fault_end(struct scanner *s)
{
    return fault_at(s, s->length, "the text ends too early");
}

/* Here, unless here is the end. */
static bool fault(struct scanner *s, const char *what)
{
    return s->at < s->length ? fault_at(s, s->at, what) : fault_end(s);
}

/* The next byte, or -1 at the end. */
static int peek(const struct scanner *s)
{
    return s->at < s->length ? (unsigned char)s->text[s->at] : -1;
}

static bool take(struct scanner *s, char c)
{
    if (peek(s) != (unsigned char)c)
        return false;
    s->at++;
    return true;
}

/* RFC 8259 section 2: ws */
static void skip_space(struct scanner *s)
{
    while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\r' || peek(s) == '\n')
        s->at++;
}

int utf8_sequence(const char *text, size_t length)
{
    unsigned char lead, second;
    size_t size;

    if (length == 0)
        return -1;
    lead = (unsigned char)text[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    for (size_t i = 1; i < size && i < length; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    if (length == 1)
        return -1;
    /* RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF */
    second = (unsigned char)text[1];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
        return 0;
    return length < size ? -1 : (int)size;
}

void utf8_repair(char *text)
{
    size_t length = strlen(text);

    while (length > 0) {
        int n = utf8_sequence(text, length);

        if (n <= 0) {
            *text = '?';
            n = 1;
        }
        text += n;
        length -= (size_t)n;
    }
}

/* Four hex digits; their value, or -1. */
static int scan_hex4(struct scanner *s)
{
    int value = 0;

    for (int i = 0; i < 4; i++, s->at++) {
        int c = peek(s);

        if (c >= '0' && c <= '9')
            value = value * 16 + c - '0';
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            value = value * 16 + c - 'A' + 10;
        else
            return -1;
    }
    return value;
}

/* The second half of a pair, after the first, which began at start. */
static bool scan_low_surrogate(struct scanner *s, size_t start)
{
    if (take(s, '\\') && take(s, 'u')) {
        int unit = scan_hex4(s);

        if (unit >= 0xdc00 && unit <= 0xdfff)
            return true;
    }
    if (peek(s) < 0)
        return fault_end(s);
    return fault_at(s, start, "a high surrogate without a low one after it");
}

/* RFC 8259 section 7, after the backslash. */
static bool scan_escape(struct scanner *s)
{
    size_t start = s->at - 1;
    int c = peek(s), unit;

    if (c <= 0 || !strchr("\"\\/bfnrtu", c))
        return fault(s, "a backslash in a string must start one of JSON's escapes");
    s->at++;
    if (c != 'u')
        return true;

    unit = scan_hex4(s);
    if (unit < 0)
        return fault(s, "\\u needs four hexadecimal digits");
    if (unit == 0)
        s->has_nul = true;
    if (unit >= 0xdc00 && unit <= 0xdfff)
        return fault_at(s, start, "a low surrogate without a high one before it");
    if (unit >= 0xd800 && unit <= 0xdbff)
        return scan_low_surrogate(s, start);
    return true;
}

/* RFC 8259 section 7, after the opening quote. */
static bool scan_string(struct scanner *s)
{
    s->has_nul = false;
    for (;;) {
        int c = peek(s), n;

        if (c < 0)
            return fault_end(s);
        if (take(s, '"'))
            return true;
        if (c < 0x20)
            return fault(s, "control characters in a string must be escaped");
        if (take(s, '\\')) {
            if (!scan_escape(s))
                return false;
            continue;
        }
        n = utf8_sequence(s->text + s->at, s->length - s->at);
        if (n < 0)
            return fault_end(s);
        if (n == 0)
            return fault(s, "a string is not valid UTF-8");
        s->at += (size_t)n;
    }
}

static size_t scan_digits(struct scanner *s)
{
    size_t start = s->at;

    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at - start;
}

/* json-c clamps what does not fit; better refused than silently another number. */
static bool integer_fits(const char *digits, size_t count, bool negative)
{
    const uint64_t max = negative ? (uint64_t)1 << 63 : UINT64_MAX;
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(digits[i] - '0');

        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    return true;
}

/* RFC 8259 section 6 */
static bool scan_number(struct scanner *s)
{
    size_t start = s->at;
    bool negative = take(s, '-'), integer = true;
    const char *digits = s->text + s->at;
    size_t count = scan_digits(s);

    if (count == 0)
        return fault(s, "a number needs digits");
    if (count > 1 && digits[0] == '0')
        return fault_at(s, start, "a number must not start with 0");
    if (take(s, '.')) {
        integer = false;
        if (scan_digits(s) == 0)
            return fault(s, "a number needs digits after '.'");
    }
    if (take(s, 'e') || take(s, 'E')) {
        integer = false;
        if (!take(s, '+'))
            take(s, '-');
        if (scan_digits(s) == 0)
            return fault(s, "a number needs digits in its exponent");
    }
    if (integer && !integer_fits(digits, count, negative))
        return fault_at(s, start, "an integer must fit 64 bits");
    return true;
}

static const char not_a_value[] =
    "a value must be an object, array, string, number, true, false or null";

static bool scan_word(struct scanner *s, const char *word)
{
    for (; *word; word++)
        if (!take(s, *word))
            return fault(s, not_a_value);
    return true;
}

/* A value that is not an array or object. */
static bool scan_scalar(struct scanner *s)
{
    switch (peek(s)) {
    case '"':
        s->at++;
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        if (peek(s) == '-' || (peek(s) >= '0' && peek(s) <= '9'))
            return scan_number(s);
        return fault(s, not_a_value);
    }
}

/* A member's name and colon (RFC 8259 section 4). */
static bool scan_name(struct scanner *s)
{
    size_t start;

    skip_space(s);
    start = s->at;
    if (!take(s, '"'))
        return fault(s, "an object's member must start with a name in double quotes");
    if (!scan_string(s))
        return false;
    /* json-c ends a name there; better refused than silently another name */
    if (s->has_nul)
        return fault_at(s, start, "a name must not contain \\u0000");
    skip_space(s);
    return take(s, ':') || fault(s, "a name must be followed by ':'");
}

/* Whether the innermost level, depth > 0, is an object. */
static bool in_object(const struct scanner *s)
{
    return s->objects >> (s->depth - 1) & 1;
}

/* Enters the array or object whose bracket comes next. */
static bool scan_open(struct scanner *s)
{
    uint64_t level;

    if (s->depth == s->limits.depth)
        return fault(s, "arrays and objects are nested too deeply");
    level = (uint64_t)1 << s->depth++;
    s->objects = peek(s) == '{' ? s->objects | level : s->objects & ~level;
    s->at++;
    return true;
}

/* Leaves the array or object it is in, if its bracket comes next. */
static bool take_close(struct scanner *s)
{
    skip_space(s);
    if (s->depth == 0 || !take(s, in_object(s) ? '}' : ']'))
        return false;
    s->depth--;
    return true;
}

/* A value and all that is in it (RFC 8259 section 3), without recursion. */
static bool scan_value(struct scanner *s)
{
    for (;;) {
        bool opened; /* and nothing is in it yet: no comma before the first */

        skip_space(s);
        if (s->values++ == s->limits.values)
            return fault(s, "a line may not hold that many values");
        opened = peek(s) == '[' || peek(s) == '{';
        if (opened ? !scan_open(s) : !scan_scalar(s))
            return false;

        while (take_close(s))
            opened = false;
        if (s->depth == 0)
            return true;
        if (!opened && !take(s, ','))
            return fault(s, in_object(s) ? "a member must be followed by ',' or '}'"
                                         : "an element must be followed by ',' or ']'");
        if (in_object(s) && !scan_name(s))
            return false;
    }
}

int json_text_check(const char *text, size_t length, struct json_text_limits limits,
                    struct json_text_fault *ret_fault)
{
    struct scanner s = {
        .text = text,
        .length = length,
        .limits = limits,
        .fault = ret_fault,
    };

    if (s.limits.depth > DEPTH_LIMIT)
        s.limits.depth = DEPTH_LIMIT;
    if (!scan_value(&s))
        return -EINVAL;
    skip_space(&s);
    if (s.at != s.length) {
        fault(&s, "there is more after the JSON value");
        return -EINVAL;
    }
    return 0;
}

#include "protocol/json_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

/* The text was checked: whatever is at `at` is what may be there. */
struct reader {
    const char *at;
    const char *end;
};

static int read_value(struct reader *reader, struct json_object **ret);

/* White space, and what separates values: it needs no second look. */
static bool is_between(char c)
{
    return c == ' ' || c == ',' || c == ':' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_between(struct reader *reader)
{
    while (reader->at < reader->end && is_between(*reader->at))
        reader->at++;
}

/* Strings. */

/* The part between the quotes, as it is written. */
static const char *skip_string(struct reader *reader, size_t *ret_length)
{
    const char *start = reader->at + 1, *at = start;

    while (*at != '"')
        at += *at == '\\' ? 2 : 1;
    *ret_length = (size_t)(at - start);
    reader->at = at + 1;
    return start;
}

/* The four digits of a \u escape. */
static uint32_t unit_at(const char *digits)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        char c = digits[i];

        unit = unit << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

/* UTF-8: RFC 3629 section 3. Returns how many bytes it wrote, up to 4. */
static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The character that *in, after "\u", stands for; moves *in past it. The first half of a surrogate
 * pair has its second behind it (RFC 8259 section 7). */
static uint32_t take_escaped(const char **in)
{
    uint32_t unit = unit_at(*in), low;

    *in += 4;
    if ((unit & 0xfc00) != 0xd800)
        return unit;
    low = unit_at(*in + 2);
    *in += 6;
    return 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
}

static char simple_escape(char c)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, c);

    return letter ? meanings[letter - letters] : c;
}

/* No escape is shorter than what it stands for: out has room for in's length. */
static size_t unescape(const char *in, size_t length, char *out)
{
    const char *end = in + length, *escape;
    size_t used = 0;

    while ((escape = memchr(in, '\\', (size_t)(end - in)))) {
        memcpy(out + used, in, (size_t)(escape - in));
        used += (size_t)(escape - in);
        in = escape + 2;
        if (escape[1] == 'u')
            used += put_utf8(out + used, take_escaped(&in));
        else
            out[used++] = simple_escape(escape[1]);
    }
    memcpy(out + used, in, (size_t)(end - in));
    return used + (size_t)(end - in);
}

/* NUL-terminated; the caller frees it. Errors: NULL. */
static char *read_text(struct reader *reader, size_t *ret_length)
{
    size_t length;
    const char *raw = skip_string(reader, &length);
    char *text = malloc(length + 1);

    if (!text)
        return NULL;
    *ret_length = unescape(raw, length, text);
    text[*ret_length] = '\0';
    return text;
}

static int read_string(struct reader *reader, struct json_object **ret)
{
    size_t length;
    char *text = read_text(reader, &length);

    *ret = text ? json_object_new_string_len(text, (int)length) : NULL;
    free(text);
    return *ret ? 0 : -ENOMEM;
}

/* Numbers. */

/* digits: of what fits 64 bits, which the check has seen to. */
static struct json_object *new_integer(const char *digits, size_t length)
{
    bool negative = digits[0] == '-';
    uint64_t value = 0;

    for (size_t i = negative; i < length; i++)
        value = value * 10 + (uint64_t)(digits[i] - '0');
    if (negative)
        return json_object_new_int64((int64_t)(0 - value));
    return value <= INT64_MAX ? json_object_new_int64((int64_t)value)
                              : json_object_new_uint64(value);
}

static struct json_object *new_real(const char *digits, size_t length)
{
    char *text = strndup(digits, length);
    struct json_object *real = text ? json_object_new_double_s(strtod(text, NULL), text) : NULL;

    free(text);
    return real;
}

static int read_number(struct reader *reader, struct json_object **ret)
{
    const char *start = reader->at;
    bool real = false;

    for (; reader->at < reader->end && strchr("+-.0123456789Ee", *reader->at); reader->at++)
        real |= strchr(".Ee", *reader->at) != NULL;
    *ret = real ? new_real(start, (size_t)(reader->at - start))
                : new_integer(start, (size_t)(reader->at - start));
    return *ret ? 0 : -ENOMEM;
}

/* Words. */

static int read_boolean(struct reader *reader, bool value, struct json_object **ret)
{
    reader->at += value ? strlen("true") : strlen("false");
    *ret = json_object_new_boolean(value);
    return *ret ? 0 : -ENOMEM;
}

static int read_null(struct reader *reader, struct json_object **ret)
{
    reader->at += strlen("null");
    *ret = NULL;
    return 0;
}

/* Arrays and objects. */

static int read_element(struct reader *reader, struct json_object *array)
{
    struct json_object *value;
    int r = read_value(reader, &value);

    if (r == 0 && json_object_array_add(array, value) < 0) {
        json_object_put(value);
        r = -ENOMEM;
    }
    return r;
}

/* json-c copies a name, then makes room for it, and forgets the copy where there is none. So the
 * room is made before, for a name that no text has and that needs no copy. */
static int make_room(struct json_object *object)
{
    static const char no_name[] = "\xff"; /* is not UTF-8 */

    if (json_object_object_add_ex(object, no_name, NULL, JSON_C_OBJECT_ADD_CONSTANT_KEY) < 0)
        return -ENOMEM;
    json_object_object_del(object, no_name);
    return 0;
}

static int read_member(struct reader *reader, struct json_object *object)
{
    struct json_object *value;
    size_t length;
    char *name = read_text(reader, &length);
    int r = -ENOMEM;

    skip_between(reader);
    if (name)
        r = read_value(reader, &value);
    if (r == 0 && (make_room(object) < 0 || json_object_object_add(object, name, value) < 0)) {
        json_object_put(value);
        r = -ENOMEM;
    }
    free(name);
    return r;
}

/* container: an array or an object, taken; NULL: it could not be made. */
static int read_container(struct reader *reader, struct json_object *container, char closing,
                          int (*read_one)(struct reader *reader, struct json_object *container),
                          struct json_object **ret)
{
    int r = container ? 0 : -ENOMEM;

    reader->at++;
    skip_between(reader);
    while (r == 0 && *reader->at != closing) {
        r = read_one(reader, container);
        skip_between(reader);
    }
    if (r < 0) {
        json_object_put(container);
        return r;
    }
    reader->at++;
    *ret = container;
    return 0;
}

static int read_value(struct reader *reader, struct json_object **ret)
{
    switch (*reader->at) {
    case '{':
        return read_container(reader, json_object_new_object(), '}', read_member, ret);
    case '[':
        return read_container(reader, json_object_new_array(), ']', read_element, ret);
    case '"':
        return read_string(reader, ret);
    case 't':
        return read_boolean(reader, true, ret);
    case 'f':
        return read_boolean(reader, false, ret);
    case 'n':
        return read_null(reader, ret);
    default:
        return read_number(reader, ret);
    }
}

int json_read(const char *text, size_t length, struct json_object **ret)
{
    struct reader reader = { .at = text, .end = text + length };
    struct json_object *value;
    int r;

    skip_between(&reader);
    r = read_value(&reader, &value);
    if (r == 0)
        *ret = value;
    return r;
}

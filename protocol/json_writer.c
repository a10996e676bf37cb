#include "protocol/json_writer.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

enum { CAPACITY_MIN = 256 };

struct writer {
    char *text;
    size_t length;
    size_t capacity;
    bool failed; /* something is missing: nothing more is written */
};

static void make_room(struct writer *writer, size_t size)
{
    size_t capacity = writer->capacity ? writer->capacity : CAPACITY_MIN;
    char *text;

    while (capacity - writer->length < size)
        capacity *= 2;
    if (capacity == writer->capacity)
        return;
    text = realloc(writer->text, capacity);
    if (!text) {
        writer->failed = true;
        return;
    }
    writer->text = text;
    writer->capacity = capacity;
}

static void put(struct writer *writer, const char *bytes, size_t size)
{
    make_room(writer, size);
    if (writer->failed)
        return;
    memcpy(writer->text + writer->length, bytes, size);
    writer->length += size;
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* Strings. */

/* What must be escaped: RFC 8259 section 7. */
static bool is_special(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

static void put_escaped(struct writer *writer, char c)
{
    static const char meanings[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    const char *meaning = c ? strchr(meanings, c) : NULL;
    char escape[8];

    if (meaning)
        snprintf(escape, sizeof(escape), "\\%c", letters[meaning - meanings]);
    else
        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)c);
    put_text(writer, escape);
}

static void put_string(struct writer *writer, const char *text, size_t length)
{
    const char *end = text + length;

    put_text(writer, "\"");
    while (text < end) {
        const char *start = text;

        while (text < end && !is_special(*text))
            text++;
        put(writer, start, (size_t)(text - start));
        if (text < end)
            put_escaped(writer, *text++);
    }
    put_text(writer, "\"");
}

/* Numbers. */

static void put_integer(struct writer *writer, struct json_object *value)
{
    int64_t number = json_object_get_int64(value);
    char text[24];

    if (number < 0)
        snprintf(text, sizeof(text), "%" PRId64, number);
    else
        snprintf(text, sizeof(text), "%" PRIu64, json_object_get_uint64(value));
    put_text(writer, text);
}

/* As it was read; json-c writes it in one piece, or nothing of it. */
static void put_real(struct writer *writer, struct json_object *value)
{
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);

    if (text && text[0])
        put_text(writer, text);
    else
        writer->failed = true;
}

/* Arrays and objects. */

static void put_value(struct writer *writer, struct json_object *value);

static void put_array(struct writer *writer, struct json_object *array)
{
    size_t count = json_object_array_length(array);

    put_text(writer, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            put_text(writer, ",");
        put_value(writer, json_object_array_get_idx(array, i));
    }
    put_text(writer, "]");
}

static void put_object(struct writer *writer, struct json_object *object)
{
    const char *before = "{";

    json_object_object_foreach(object, name, member) {
        put_text(writer, before);
        put_string(writer, name, strlen(name));
        put_text(writer, ":");
        put_value(writer, member);
        before = ",";
    }
    put_text(writer, before[0] == '{' ? "{}" : "}");
}

static void put_value(struct writer *writer, struct json_object *value)
{
    if (writer->failed)
        return;
    switch (json_object_get_type(value)) {
    case json_type_null:
        put_text(writer, "null");
        break;
    case json_type_boolean:
        put_text(writer, json_object_get_boolean(value) ? "true" : "false");
        break;
    case json_type_double:
        put_real(writer, value);
        break;
    case json_type_int:
        put_integer(writer, value);
        break;
    case json_type_object:
        put_object(writer, value);
        break;
    case json_type_array:
        put_array(writer, value);
        break;
    case json_type_string:
        put_string(writer, json_object_get_string(value),
                   (size_t)json_object_get_string_len(value));
        break;
    }
}

char *json_write(struct json_object *value, size_t *ret_length)
{
    struct writer writer = { .text = NULL };

    put_value(&writer, value);
    put(&writer, "", 1); /* the NUL */
    if (writer.failed) {
        free(writer.text);
        return NULL;
    }
    *ret_length = writer.length - 1;
    return writer.text;
}

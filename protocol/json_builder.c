#include "protocol/json_builder.h"

#include <stddef.h>

#include <json-c/json.h>

static void fail(struct json_object **container)
{
    json_object_put(*container);
    *container = NULL;
}

/* NULL is JSON null. */
static void add_ex(struct json_object **object, const char *name, struct json_object *value,
                   unsigned options)
{
    if (*object && json_object_object_add_ex(*object, name, value, options) == 0)
        return;
    json_object_put(value);
    fail(object);
}

static void add(struct json_object **object, const char *name, struct json_object *value)
{
    add_ex(object, name, value, JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

void json_add(struct json_object **object, const char *name, struct json_object *value)
{
    if (value)
        add(object, name, value);
    else
        fail(object);
}

void json_add_null(struct json_object **object, const char *name)
{
    add(object, name, NULL);
}

void json_add_text(struct json_object **object, const char *name, const char *text)
{
    json_add(object, name, json_object_new_string(text));
}

void json_add_boolean(struct json_object **object, const char *name, bool value)
{
    json_add(object, name, json_object_new_boolean(value));
}

void json_add_signed(struct json_object **object, const char *name, int64_t number)
{
    json_add(object, name, json_object_new_int64(number));
}

void json_add_unsigned(struct json_object **object, const char *name, uint64_t number)
{
    json_add(object, name, json_object_new_uint64(number));
}

void json_add_named_text(struct json_object **object, const char *name, const char *text)
{
    struct json_object *value = json_object_new_string(text);

    if (value)
        add_ex(object, name, value, 0);
    else
        fail(object);
}

void json_append(struct json_object **array, struct json_object *value)
{
    if (*array && value && json_object_array_add(*array, value) == 0)
        return;
    json_object_put(value);
    fail(array);
}

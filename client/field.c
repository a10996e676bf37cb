#include "field.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/json_text.h"

enum { KEY_SIZE = 64 };

struct json_object *field_get(struct json_object *object, const char *path)
{
    char key[KEY_SIZE];

    while (object) {
        size_t length = strcspn(path, ".");
        struct json_object *value;

        if (length >= sizeof(key) || !json_object_is_type(object, json_type_object))
            return NULL;
        memcpy(key, path, length);
        key[length] = '\0';
        if (!json_object_object_get_ex(object, key, &value))
            return NULL;
        if (path[length] == '\0')
            return value;
        object = value;
        path += length + 1;
    }
    return NULL;
}

const char *field_text(struct json_object *object, const char *path)
{
    struct json_object *value = field_get(object, path);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

int64_t field_integer(struct json_object *object, const char *path)
{
    struct json_object *value = field_get(object, path);

    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
}

bool field_boolean(struct json_object *object, const char *path)
{
    struct json_object *value = field_get(object, path);

    return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

size_t field_count(struct json_object *object, const char *path)
{
    struct json_object *value = field_get(object, path);

    return json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
}

struct json_object *field_new_text(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD in UTF-8 */
    size_t left = strlen(text), used = 0;
    _cleanup_free_ char *valid = malloc(left * (sizeof(replacement) - 1) + 1);

    if (!valid)
        return NULL;
    while (left > 0) {
        int n = utf8_sequence(text, left);

        if (n > 0) {
            memcpy(valid + used, text, (size_t)n);
            used += (size_t)n;
        } else {
            memcpy(valid + used, replacement, sizeof(replacement) - 1);
            used += sizeof(replacement) - 1;
            n = 1;
        }
        text += n;
        left -= (size_t)n;
    }
    return json_object_new_string_len(valid, (int)used);
}

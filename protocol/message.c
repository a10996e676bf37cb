#include "protocol/message.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "protocol/json_builder.h"
#include "protocol/json_reader.h"
#include "protocol/json_writer.h"
#include "protocol/limits.h"

static int parse(const char *text, size_t length, size_t values_max, struct json_object **ret,
                 struct json_text_fault *ret_fault)
{
    const struct json_text_limits limits = { .depth = PROTOCOL_DEPTH_MAX, .values = values_max };
    int r = json_text_check(text, length, limits, ret_fault);

    return r < 0 ? r : json_read(text, length, ret);
}

int message_parse(const char *text, size_t length, struct json_object **ret,
                  struct json_text_fault *ret_fault)
{
    return parse(text, length, PROTOCOL_VALUES_MAX, ret, ret_fault);
}

int message_parse_answer(const char *text, size_t length, struct json_object **ret,
                         struct json_text_fault *ret_fault)
{
    return parse(text, length, SIZE_MAX, ret, ret_fault);
}

static bool is_id(struct json_object *id)
{
    if (json_object_is_type(id, json_type_string))
        return json_object_get_string_len(id) <= PROTOCOL_ID_MAX;
    return !id || json_object_is_type(id, json_type_int) ||
           json_object_is_type(id, json_type_double);
}

/* The text of a member that is a string, else NULL. One with a NUL inside counts as none: read as a
 * C string it would be another. */
static const char *get_text(struct json_object *object, const char *name)
{
    struct json_object *member;
    const char *text;

    if (!json_object_object_get_ex(object, name, &member) ||
        !json_object_is_type(member, json_type_string))
        return NULL;
    text = json_object_get_string(member);
    return strlen(text) == (size_t)json_object_get_string_len(member) ? text : NULL;
}

int message_read_request(struct json_object *value, struct message_request *ret,
                         const char **ret_why)
{
    const char *version, *method;

    *ret = (struct message_request){ 0 };
    *ret_why = NULL;
    if (!json_object_is_type(value, json_type_object)) {
        *ret_why = "a request must be an object";
        return -EINVAL;
    }

    version = get_text(value, "jsonrpc");
    method = get_text(value, "method");
    ret->has_id = json_object_object_get_ex(value, "id", &ret->id);
    if (ret->has_id && !is_id(ret->id)) {
        ret->id = NULL;
        *ret_why = "\"id\" must be a string of up to 256 bytes, a number or null";
    } else if (!version || strcmp(version, "2.0") != 0) {
        *ret_why = "\"jsonrpc\" must be \"2.0\"";
    } else if (!method) {
        *ret_why = "\"method\" must be a string without NUL";
    } else if (json_object_object_get_ex(value, "params", &ret->params) &&
               !json_object_is_type(ret->params, json_type_array) &&
               !json_object_is_type(ret->params, json_type_object)) {
        *ret_why = "\"params\" must be an array or an object";
    } else {
        ret->method = method;
    }
    return *ret_why ? -EINVAL : 0;
}

static struct json_object *new_envelope(void)
{
    struct json_object *message = json_object_new_object();

    json_add_text(&message, "jsonrpc", "2.0");
    return message;
}

/* Where NULL is JSON null. */
static void add_or_null(struct json_object **message, const char *name, struct json_object *value)
{
    if (value)
        json_add(message, name, value);
    else
        json_add_null(message, name);
}

struct json_object *message_new_notification(const char *method, struct json_object *params)
{
    struct json_object *message = new_envelope();

    json_add_text(&message, "method", method);
    if (params)
        json_add(&message, "params", params);
    return message;
}

struct json_object *message_new_request(struct json_object *id, const char *method,
                                        struct json_object *params)
{
    struct json_object *message = message_new_notification(method, params);

    add_or_null(&message, "id", id);
    return message;
}

struct json_object *message_new_result(struct json_object *id, struct json_object *result)
{
    struct json_object *message = new_envelope();

    add_or_null(&message, "result", result);
    add_or_null(&message, "id", id);
    return message;
}

struct json_object *message_new_error(struct json_object *id, enum rpc_error_code code,
                                      const char *text, struct json_object *data)
{
    const struct rpc_error_row *row = rpc_error_find(code);
    struct json_object *message = new_envelope(), *error = json_object_new_object();

    if (!data)
        data = json_object_new_object();
    json_add_text(&data, "name", row ? row->name : "unknown");
    json_add_signed(&error, "code", code);
    json_add_text(&error, "message", text);
    json_add(&error, "data", data);
    json_add(&message, "error", error);
    add_or_null(&message, "id", id);
    return message;
}

char *message_line(struct json_object *message, size_t *ret_length)
{
    char *line = message ? json_write(message, ret_length) : NULL;

    if (line)
        line[(*ret_length)++] = '\n'; /* where the NUL was */
    return line;
}

#include "protocol/message.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "protocol/limits.h"

static int parse(const char *text, size_t length, size_t values_max, struct json_object **ret,
                 struct json_text_fault *ret_fault)
{
    const struct json_text_limits limits = { .depth = PROTOCOL_DEPTH_MAX, .values = values_max };
    struct json_tokener *tokener;
    struct json_object *value;
    int r;

    r = json_text_check(text, length, limits, ret_fault);
    if (r < 0)
        return r;

    /* + 1: json-c counts a scalar inside the innermost array as a level */
    tokener = json_tokener_new_ex(PROTOCOL_DEPTH_MAX + 1);
    if (!tokener)
        return -ENOMEM;
    value = json_tokener_parse_ex(tokener, text, (int)length);
    /* a number at the top level ends only with the text */
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        value = json_tokener_parse_ex(tokener, "", 1);
    /* what passed the check, json-c can refuse only for want of memory (tests/fuzz looks for more)
     */
    r = json_tokener_get_error(tokener) == json_tokener_success ? 0 : -ENOMEM;
    json_tokener_free(tokener);
    if (r == 0)
        *ret = value;
    return r;
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

    json_object_object_add(message, "jsonrpc", json_object_new_string("2.0"));
    return message;
}

struct json_object *message_new_notification(const char *method, struct json_object *params)
{
    struct json_object *message = new_envelope();

    json_object_object_add(message, "method", json_object_new_string(method));
    if (params)
        json_object_object_add(message, "params", params);
    return message;
}

struct json_object *message_new_request(struct json_object *id, const char *method,
                                        struct json_object *params)
{
    struct json_object *message = message_new_notification(method, params);

    json_object_object_add(message, "id", id);
    return message;
}

struct json_object *message_new_result(struct json_object *id, struct json_object *result)
{
    struct json_object *message = new_envelope();

    json_object_object_add(message, "result", result);
    json_object_object_add(message, "id", id);
    return message;
}

struct json_object *message_new_error(struct json_object *id, enum rpc_error_code code,
                                      const char *text, struct json_object *data)
{
    const struct rpc_error_row *row = rpc_error_find(code);
    struct json_object *message = new_envelope(), *error = json_object_new_object();

    if (!data)
        data = json_object_new_object();
    json_object_object_add(data, "name", json_object_new_string(row ? row->name : "unknown"));
    json_object_object_add(error, "code", json_object_new_int(code));
    json_object_object_add(error, "message", json_object_new_string(text));
    json_object_object_add(error, "data", data);
    json_object_object_add(message, "error", error);
    json_object_object_add(message, "id", id);
    return message;
}

const char *message_text(struct json_object *message, size_t *ret_length)
{
    return json_object_to_json_string_length(
        message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, ret_length);
}

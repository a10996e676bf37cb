/*
 * Messages: the JSON-RPC 2.0 envelope, read and built.
 *
 * Functions that build take every json_object they are given and return one that the caller owns;
 * NULL: out of memory. An id or a result that is NULL is JSON null.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include "protocol/json_text.h"
#include "protocol/rpc_error.h"

/* One request (JSON-RPC 2.0 section 4). Everything in it belongs to the value it was read from. */
struct message_request {
    const char *method;
    struct json_object *params; /* array, object, or NULL */
    struct json_object *id;     /* NULL for `"id": null` as well: see has_id */
    bool has_id;                /* false: a notification, which is never answered (section 4.1) */
};

/* Parses one line of requests. Nesting up to PROTOCOL_DEPTH_MAX, up to PROTOCOL_VALUES_MAX values.
 * JSON null is *ret == NULL. Errors: -EINVAL (*ret_fault says where and why), -ENOMEM. */
int message_parse(const char *text, size_t length, struct json_object **ret,
                  struct json_text_fault *ret_fault);

/* The same of what vmmd sends, which may hold any number of values. */
int message_parse_answer(const char *text, size_t length, struct json_object **ret,
                         struct json_text_fault *ret_fault);

/*
 * Reads a parsed value as a request. Errors: -EINVAL, with *ret_why a static sentence; ret->id and
 * ret->has_id hold what could be read of the id even then (section 5: else the answer's id is
 * null).
 */
int message_read_request(struct json_object *value, struct message_request *ret,
                         const char **ret_why);

struct json_object *message_new_request(struct json_object *id, const char *method,
                                        struct json_object *params);
struct json_object *message_new_notification(const char *method, struct json_object *params);
struct json_object *message_new_result(struct json_object *id, struct json_object *result);

/* data: NULL for none; "name" is added to it from the table of errors. message: valid UTF-8. */
struct json_object *message_new_error(struct json_object *id, enum rpc_error_code code,
                                      const char *message, struct json_object *data);

/* The line of a message, LF included, no NUL; the caller frees it. Errors: NULL, out of memory, or
 * there is no message because it could not be built. */
char *message_line(struct json_object *message, size_t *ret_length);

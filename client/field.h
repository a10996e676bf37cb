/*
 * Field: a value inside a JSON object, by its path: "exit.reason".
 *
 * What is absent or of another type reads as empty: a daemon of another version may know fewer
 * fields, and its answers are for people to look at.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "util/cleanup.h"

/* NULL: absent, or JSON null. Belongs to object. */
struct json_object *field_get(struct json_object *object, const char *path);

const char *field_text(struct json_object *object, const char *path);
int64_t field_integer(struct json_object *object, const char *path);
bool field_boolean(struct json_object *object, const char *path);

/* Items of an array; 0 if it is none. */
size_t field_count(struct json_object *object, const char *path);

/* A string of what came from the command line or the file system, which JSON may not hold as it is
 * (RFC 8259 section 8.1): each byte that is not UTF-8 becomes U+FFFD. */
struct json_object *field_new_text(const char *text);

DEFINE_CLEANUP(struct json_object *, json_object_put);
#define _cleanup_json_ _cleanup_(json_object_putp)

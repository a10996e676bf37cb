/*
 * JSON builder: members and elements are added, and one look at the end tells whether all of them
 * are there.
 *
 * What cannot be made or added for want of memory takes what it was to be part of with it: *object
 * is released and becomes NULL, and so does what that is added to in turn. json-c's own functions
 * end the process where they are given a NULL.
 *
 * A name must stay where it is for as long as the object lives. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* Takes value. NULL: it could not be made. */
void json_add(struct json_object **object, const char *name, struct json_object *value);

void json_add_null(struct json_object **object, const char *name);
void json_add_text(struct json_object **object, const char *name, const char *text);
void json_add_boolean(struct json_object **object, const char *name, bool value);
void json_add_signed(struct json_object **object, const char *name, int64_t number);
void json_add_unsigned(struct json_object **object, const char *name, uint64_t number);

/* The same, for a name that goes before the object does: it is copied. */
void json_add_named_text(struct json_object **object, const char *name, const char *text);

/* To an array. Takes value, likewise. */
void json_append(struct json_object **array, struct json_object *value);

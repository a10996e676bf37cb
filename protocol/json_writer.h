/*
 * JSON writer: from json-c's objects to text, with each allocation checked.
 *
 * json-c 0.16 writes as well, but without memory it leaves out what finds no room, in the middle of
 * a string too, and goes on.
 */
#pragma once

#include <stddef.h>

struct json_object;

/*
 * The text of value, which is NULL for JSON null: no white space, no line feed, and nothing
 * escaped that need not be. NUL-terminated; the caller frees it. Errors: NULL, out of memory. Any
 * thread.
 */
char *json_write(struct json_object *value, size_t *ret_length);

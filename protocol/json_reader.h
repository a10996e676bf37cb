/*
 * JSON reader: from text to json-c's objects, with each allocation checked.
 *
 * json-c 0.16 parses as well, but without memory its parser crashes, or says that all is well and
 * leaves out members, or the end of a string: a request would become another.
 */
#pragma once

#include <stddef.h>

struct json_object;

/*
 * The value that text[0..length) is, which has passed json_text_check(): that has bounded how deep
 * this calls itself. JSON null is *ret == NULL. Of members of one name the last counts; a number
 * with a fraction or an exponent is written again as it was read. *ret is the caller's. Errors:
 * -ENOMEM. Any thread.
 */
int json_read(const char *text, size_t length, struct json_object **ret);

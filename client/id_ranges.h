/*
 * Id ranges: many ids in few words: "1-3, 7, 9-12".
 */
#pragma once

#include <json-c/json.h>

/* Of an array of ids, in whatever order; "-" if there are none. The caller frees it. NULL: out of
 * memory. */
char *id_ranges_new(struct json_object *ids);

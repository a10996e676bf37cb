/*
 * Output chunk: some bytes that a guest wrote, as vm.output brings them, be it the notification or
 * the method's result.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "util/cleanup.h"

struct output_chunk {
    int64_t offset; /* of the first byte */
    int64_t lost;   /* bytes before it that were asked for and are gone */
    char *bytes;
    size_t size;
};

/* Errors: -EINVAL (no such thing), -ENOMEM. */
int output_chunk_read(struct json_object *value, struct output_chunk *ret);
void output_chunk_deinit(struct output_chunk *chunk);
#define _cleanup_chunk_ _cleanup_(output_chunk_deinit)

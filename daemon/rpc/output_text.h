/*
 * Output text: bytes that a guest wrote, as a JSON string.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rpc/param.h"

struct json_object;

enum output_encoding { OUTPUT_BASE64, OUTPUT_UTF8 };

extern const struct rpc_word output_encoding_words[];

/*
 * Encodes data[0..size) (size up to PROTOCOL_OUTPUT_MAX); *ret_used bytes of it. As UTF-8, what is
 * no valid sequence becomes U+FFFD, and a sequence that is not whole yet is left out, unless
 * nothing comes after it (`final`). Returns a string the caller owns.
 */
struct json_object *output_text_new(enum output_encoding encoding, const unsigned char *data,
                                    size_t size, bool final, size_t *ret_used);

/*
 * Base64 (RFC 4648 section 4): how bytes that need not be text travel in JSON.
 */
#pragma once

#include <stddef.h>

/* Length of the encoding of size bytes, padding counted, no NUL. */
#define BASE64_LENGTH(size) (((size) + 2) / 3 * 4)

/* Writes BASE64_LENGTH(size) characters, no NUL, and returns how many. Any thread. */
size_t base64_encode(const void *data, size_t size, char *text);

/*
 * Decodes text[0..length). data has room for length / 4 * 3 bytes. Strict: no white space, padding
 * required, unused bits zero (RFC 4648 sections 3.2, 3.3, 3.5). Errors: -EINVAL. Any thread.
 */
int base64_decode(const char *text, size_t length, void *data, size_t *ret_size);

/*
 * Escape: bytes from guests and clients, made fit for a log or an error sentence.
 */
#pragma once

#include <stddef.h>

/*
 * Writes text with every byte that is not printable ASCII, and backslash, as \xNN; cut with "..."
 * where size is too small; always NUL-terminated. size: at least 8. Returns out. Any thread.
 */
const char *escape_text(const char *text, size_t length, char *out, size_t size);

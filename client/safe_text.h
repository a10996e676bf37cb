/*
 * Safe text: names, paths and messages from elsewhere, made fit to be shown on a terminal.
 *
 * What takes a place on the screen in the user's locale is kept as it is; every other byte, be it
 * part of a control sequence, a direction mark or of no character at all, becomes \xNN.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

/* A string that the caller frees, and the columns it takes. Errors: NULL, out of memory. */
char *safe_text_new(const char *text, size_t *ret_width);

/* Writes lead as it is, the rest made safe, and LF, all at once. Errors are those of the stream. */
void safe_text_print(FILE *stream, const char *lead, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#include "util/error.h"

#include <stdio.h>
#include <string.h>

static void set(struct error *err, const char *about, int code, const char *format, va_list args)
{
    if (!err)
        return;
    err->code = code;
    err->about = about;
    vsnprintf(err->text, sizeof(err->text), format, args);
}

int error_set(struct error *err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set(err, NULL, code, format, args);
    va_end(args);
    return code;
}

int error_set_about(struct error *err, const char *about, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set(err, about, code, format, args);
    va_end(args);
    return code;
}

int error_prefix(struct error *err, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;
    size_t used;

    memcpy(text, err->text, sizeof(text));
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", text);
    return err->code;
}

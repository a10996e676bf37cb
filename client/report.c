#include "report.h"

#include <stdarg.h>
#include <stdio.h>

#include "safe_text.h"

void report(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    va_start(args, format);
    safe_text_print(stderr, "vmmctl: ", format, args);
    va_end(args);
}

void report_hint(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    va_start(args, format);
    safe_text_print(stderr, "vmmctl: hint: ", format, args);
    va_end(args);
}

void report_answer(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    safe_text_print(stdout, "", format, args);
    va_end(args);
}

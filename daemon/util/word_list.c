#include "util/word_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SEPARATOR ", "
#define MORE      "..."

/* What is kept free, so that the list can say that there is more. */
enum { KEPT_FREE = sizeof(SEPARATOR MORE) - 1 };

void word_list_add(struct word_list *list, const char *format, ...)
{
    const size_t used = strlen(list->text);
    const char *separator = used > 0 ? SEPARATOR : "";
    const size_t at = used + strlen(separator);
    va_list args;
    int length;

    if (list->full)
        return;
    memcpy(list->text + used, separator, strlen(separator) + 1);
    va_start(args, format);
    length = vsnprintf(list->text + at, list->size - at, format, args);
    va_end(args);
    if (length < 0 || at + (size_t)length + KEPT_FREE >= list->size) {
        memcpy(list->text + at, MORE, sizeof(MORE));
        list->full = true;
    }
}

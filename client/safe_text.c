#include "safe_text.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "util/cleanup.h"

/* Length of the character at text, and its columns; columns < 1: not one to show. */
static size_t read_character(const char *text, size_t length, mbstate_t *state, int *ret_columns)
{
    wchar_t wide;
    size_t n = mbrtowc(&wide, text, length, state);

    if (n > length) { /* (size_t)-1: invalid, (size_t)-2: cut off */
        *state = (mbstate_t){ 0 };
        *ret_columns = -1;
        return 1;
    }
    *ret_columns = wcwidth(wide);
    return n;
}

char *safe_text_new(const char *text, size_t *ret_width)
{
    size_t length = strlen(text), width = 0;
    mbstate_t state = { 0 };
    char *copy = malloc(4 * length + 1), *out = copy;

    if (!copy)
        return NULL;
    while (length > 0) {
        int columns;
        size_t n = read_character(text, length, &state, &columns);

        if (columns > 0) {
            out = mempcpy(out, text, n);
            width += (size_t)columns;
        } else {
            for (size_t i = 0; i < n; i++)
                out += sprintf(out, "\\x%02x", (unsigned char)text[i]);
            width += 4 * n;
        }
        text += n;
        length -= n;
    }
    *out = '\0';
    *ret_width = width;
    return copy;
}

void safe_text_print(FILE *stream, const char *lead, const char *format, va_list args)
{
    _cleanup_free_ char *text = NULL, *safe = NULL;
    size_t width;

    if (vasprintf(&text, format, args) < 0)
        text = NULL; /* else it is undefined */
    else
        safe = safe_text_new(text, &width);
    fprintf(stream, "%s%s\n", lead, safe ? safe : "out of memory");
}

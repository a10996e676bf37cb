#include "util/escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *escape_text(const char *text, size_t length, char *out, size_t size)
{
    size_t used = 0, cut = 0; /* cut: how much of it may stay if "..." has to follow */

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '\\';
        size_t needed = plain ? strlen("c") : strlen("\\xNN");

        if (used + needed + 1 > size) {
            strcpy(out + cut, "...");
            return out;
        }
        if (plain)
            out[used] = (char)c;
        else
            sprintf(out + used, "\\x%02x", c);
        used += needed;
        if (used + sizeof("...") <= size)
            cut = used;
    }
    out[used] = '\0';
    return out;
}

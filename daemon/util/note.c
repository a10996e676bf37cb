#include "util/note.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void note_set(struct note *note, const char *format, ...)
{
    va_list args;

    if (note_text(note))
        return;
    va_start(args, format);
    vsnprintf(note->text, sizeof(note->text), format, args);
    va_end(args);
    atomic_store_explicit(&note->written, 1, memory_order_release);
}

const char *note_text(const struct note *note)
{
    return atomic_load_explicit(&note->written, memory_order_acquire) ? note->text : NULL;
}

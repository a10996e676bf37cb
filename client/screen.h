/*
 * Screen: the whole terminal for a picture that is drawn again and again, as top(1) has it. What
 * was there before comes back at the end.
 */
#pragma once

#include <stdbool.h>

#include "terminal.h"

struct screen {
    struct terminal terminal;
};

/* false: standard input and output are no terminal that could be drawn on. */
bool screen_init(struct screen *screen);

/* Into it, if we are in the foreground, and back. */
void screen_enter(struct screen *screen);
void screen_leave(struct screen *screen);

/* Shows text, as many lines of it as fit; nothing outside screen_enter() and screen_leave(). */
void screen_draw(struct screen *screen, const char *text);

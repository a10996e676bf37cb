#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Control sequences of xterm and all that are like it (ECMA-48; "XTerm Control Sequences"). */
#define ALTERNATE_SCREEN "\x1b[?1049h"
#define NORMAL_SCREEN    "\x1b[?1049l"
#define HIDE_CURSOR      "\x1b[?25l"
#define SHOW_CURSOR      "\x1b[?25h"
#define TOP_LEFT         "\x1b[H"
#define ERASE_LINE       "\x1b[K" /* from the cursor on */
#define ERASE_BELOW      "\x1b[J"

enum { HEIGHT_UNKNOWN = 24 };

bool screen_init(struct screen *screen)
{
    const char *kind = getenv("TERM");

    terminal_init(&screen->terminal, TERMINAL_SIGNALS);
    return screen->terminal.mode != TERMINAL_KEEP && kind && kind[0] && strcmp(kind, "dumb") != 0;
}

void screen_enter(struct screen *screen)
{
    bool entered = screen->terminal.entered;

    terminal_enter(&screen->terminal);
    if (!entered && screen->terminal.entered)
        fputs(ALTERNATE_SCREEN HIDE_CURSOR, stdout);
    fflush(stdout);
}

void screen_leave(struct screen *screen)
{
    if (screen->terminal.entered)
        fputs(SHOW_CURSOR NORMAL_SCREEN, stdout);
    fflush(stdout);
    terminal_leave(&screen->terminal);
}

static int height(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
        return HEIGHT_UNKNOWN;
    return size.ws_row;
}

void screen_draw(struct screen *screen, const char *text)
{
    int lines = height();

    if (!screen->terminal.entered)
        return;
    fputs(TOP_LEFT, stdout);
    for (int line = 0; line < lines && *text; line++) {
        size_t length = strcspn(text, "\n");

        /* a LF behind the last line would scroll the first away */
        printf("%s%.*s" ERASE_LINE, line > 0 ? "\n" : "", (int)length, text);
        text += length + (text[length] == '\n');
    }
    fputs(ERASE_BELOW, stdout);
    fflush(stdout);
}

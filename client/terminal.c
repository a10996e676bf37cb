#include "terminal.h"

#include <unistd.h>

void terminal_init(struct terminal *terminal, enum terminal_mode mode)
{
    bool both = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

    *terminal = (struct terminal){ .mode = both ? mode : TERMINAL_KEEP };
}

void terminal_enter(struct terminal *terminal)
{
    struct termios raw;

    if (terminal->mode == TERMINAL_KEEP)
        return;
    if (tcgetpgrp(STDIN_FILENO) != getpgrp()) /* in the background it is not ours to change */
        return;
    if (!terminal->entered && tcgetattr(STDIN_FILENO, &terminal->saved) < 0)
        return;
    raw = terminal->saved;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR | IGNCR | ISTRIP);
    if (terminal->mode == TERMINAL_RAW)
        raw.c_lflag &= ~(tcflag_t)ISIG;
    if (terminal->mode == TERMINAL_INTERRUPT)
        raw.c_cc[VQUIT] = raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    /* TCSANOW, here and below: the others wait for output, which may be held up for ever. */
    terminal->entered = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void terminal_leave(struct terminal *terminal)
{
    if (!terminal->entered)
        return;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal->saved);
    terminal->entered = false;
}

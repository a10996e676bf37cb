/*
 * Terminal: the one on standard input, while keys are for a guest, or for a screen of our own.
 *
 * Keys come one by one and are not echoed. Output processing stays on: guests end lines with LF
 * alone, and the terminal makes CR LF of it; so do lines of our own on stderr come out right.
 */
#pragma once

#include <stdbool.h>
#include <termios.h>

enum terminal_mode {
    TERMINAL_KEEP,      /* leave it as it is */
    TERMINAL_RAW,       /* every key is ours, Ctrl-C too */
    TERMINAL_INTERRUPT, /* but Ctrl-C does what it does elsewhere */
    TERMINAL_SIGNALS,   /* and Ctrl-\ and Ctrl-Z as well */
};

struct terminal {
    enum terminal_mode mode; /* what is wanted */
    bool entered;
    struct termios saved;
};

/* mode is wanted only if both standard input and output are terminals: else keys belong to whoever
 * reads our output, as in `vmmctl attach 1 | less`. */
void terminal_init(struct terminal *terminal, enum terminal_mode mode);

/* Into the mode wanted, if we are in the foreground; again after the process was stopped, when
 * others may have changed it. */
void terminal_enter(struct terminal *terminal);

/* Back to what it was. */
void terminal_leave(struct terminal *terminal);

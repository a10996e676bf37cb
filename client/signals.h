/*
 * Signals: while a stream runs, every signal is read from a descriptor instead of interrupting
 * something, so that the terminal is put back before any of them takes effect.
 */
#pragma once

#include <signal.h>

enum signals_effect {
    SIGNALS_NONE, /* nothing came */
    SIGNALS_END,  /* it ends the process, by default */
    SIGNALS_STOP, /* it stops the process, as Ctrl-Z does */
    SIGNALS_CONTINUE,
};

struct signals {
    int fd;       /* to poll for POLLIN */
    sigset_t old; /* the mask before */
};

/* Signals the caller was told to ignore, as by nohup, stay ignored. Errors: signalfd(2)'s. */
int signals_init(struct signals *signals);
void signals_deinit(struct signals *signals);

/* The next signal that came. */
enum signals_effect signals_next(struct signals *signals, int *ret_signal);

/* Stops the process by the signal, and returns when it goes on. */
void signals_stop(int signo);

/* Ends the process by the signal, so that the parent sees what ended it. */
void signals_die(int signo) __attribute__((noreturn));

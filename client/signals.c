#include "signals.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The default action of the others is to end the process (signal(7)). So is SIGPIPE's, but who
 * writes hears of that by EPIPE. */
static const struct effect_row {
    int signo;
    enum signals_effect effect;
} effects[] = {
    { SIGTSTP, SIGNALS_STOP },     { SIGTTIN, SIGNALS_STOP }, { SIGTTOU, SIGNALS_STOP },
    { SIGCONT, SIGNALS_CONTINUE }, { SIGCHLD, SIGNALS_NONE }, { SIGURG, SIGNALS_NONE },
    { SIGWINCH, SIGNALS_NONE },    { SIGPIPE, SIGNALS_NONE },
};

static enum signals_effect effect_of(int signo)
{
    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
        if (effects[i].signo == signo)
            return effects[i].effect;
    return SIGNALS_END;
}

/* A signal that is ignored is not ignored while it is blocked: signalfd(2) would report it. */
static bool is_ignored(int signo)
{
    struct sigaction action;

    return sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int signals_init(struct signals *signals)
{
    sigset_t set;

    sigemptyset(&set);
    for (int signo = 1; signo < NSIG; signo++)
        if (effect_of(signo) != SIGNALS_NONE && !is_ignored(signo))
            sigaddset(&set, signo);
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals->fd < 0)
        return -errno;
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, &signals->old);
    return 0;
}

void signals_deinit(struct signals *signals)
{
    close(signals->fd);
    sigprocmask(SIG_SETMASK, &signals->old, NULL);
}

enum signals_effect signals_next(struct signals *signals, int *ret_signal)
{
    struct signalfd_siginfo info;

    if (read(signals->fd, &info, sizeof(info)) != sizeof(info))
        return SIGNALS_NONE;
    *ret_signal = (int)info.ssi_signo;
    return effect_of(*ret_signal);
}

static void unblock_and_raise(int signo)
{
    sigset_t one, old;

    sigemptyset(&one);
    sigaddset(&one, signo);
    raise(signo);
    sigprocmask(SIG_UNBLOCK, &one, &old); /* it takes effect here */
    sigprocmask(SIG_SETMASK, &old, NULL);
}

void signals_stop(int signo)
{
    unblock_and_raise(signo);
}

void signals_die(int signo)
{
    signal(signo, SIG_DFL);
    unblock_and_raise(signo);
    exit(128 + signo); /* not reached: the default of signo is to end the process */
}

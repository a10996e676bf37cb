#include "worker/last_words.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* A signal's handler has nothing but globals. */
static int note_fd = -1;

/* Signals that mean a fault of ours. SIGBUS has its own handler (util/bus_error.h), which gives up
 * where it is one of these. */
static const struct {
    int number;
    const char *name;
} signals[] = {
    { SIGSEGV, "SIGSEGV: it touched memory that is not there" },
    { SIGILL, "SIGILL: it ran what is no instruction" },
    { SIGFPE, "SIGFPE: it divided by zero" },
    { SIGABRT, "SIGABRT: an assertion did not hold, or memory was damaged" },
    { SIGSYS, "SIGSYS: it made a system call that its filter forbids" },
    { SIGTRAP, "SIGTRAP" },
};

static const char *name_of(int number)
{
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (signals[i].number == number)
            return signals[i].name;
    return "a signal";
}

/* signal-safety(7): pwrite(2) and sigaction(2) are in the list. */
static void on_fault(int number)
{
    const char *name = name_of(number);

    if (pwrite(note_fd, name, strlen(name), 0) < 0)
        note_fd = -1; /* it cannot be told: the daemon says so */
    signal(number, SIG_DFL);
    raise(number);
}

void last_words_install(int fd)
{
    struct sigaction action = { .sa_handler = on_fault, .sa_flags = (int)SA_RESETHAND };

    note_fd = fd;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i].number, &action, NULL);
}

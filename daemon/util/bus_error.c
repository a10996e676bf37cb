#include "util/bus_error.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Addresses that nobody has taken yet. More at once are replaced all the same, and not told. */
enum { QUEUE_SIZE = 64 };

/* A signal's handler has nothing but globals. */
static _Atomic uintptr_t queue[QUEUE_SIZE]; /* 0: free */
static size_t page_size;
static int event_fd = -1;

static void keep(uintptr_t address)
{
    const uint64_t one = 1;

    for (size_t i = 0; i < QUEUE_SIZE; i++) {
        uintptr_t none = 0;

        if (atomic_compare_exchange_strong(&queue[i], &none, address)) {
            if (event_fd < 0 || write(event_fd, &one, sizeof(one)) < 0)
                return; /* found by whoever looks next */
            return;
        }
    }
}

/* As if there were no handler: where an access failed, it is tried again; what was sent is not. */
static void give_up(int signal, const siginfo_t *info)
{
    sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
    if (info->si_code <= 0)
        raise(signal); /* blocked until the handler returns */
}

/* mmap(2) is not in the list of signal-safety(7), but is a system call and nothing else. */
static void on_bus_error(int signal, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr / page_size * page_size;

    (void)context;
    /* only a page of a file that is not there: sigaction(2), BUS_ADRERR */
    if (info->si_code != BUS_ADRERR || address == 0 ||
        mmap((void *)address, page_size,
             PROT_READ | PROT_WRITE, // NOLINT(performance-no-int-to-ptr)
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        give_up(signal, info);
        return;
    }
    keep(address);
}

int bus_error_install(void)
{
    struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

    page_size = (size_t)sysconf(_SC_PAGESIZE);
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigaction(SIGBUS, &action, NULL);
    return event_fd;
}

bool bus_error_take(uintptr_t *ret_address)
{
    for (size_t i = 0; i < QUEUE_SIZE; i++) {
        uintptr_t address = atomic_exchange(&queue[i], 0);

        if (address != 0) {
            *ret_address = address;
            return true;
        }
    }
    return false;
}

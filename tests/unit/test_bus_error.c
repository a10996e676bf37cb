/*
 * Each in a child: the handler is the process's.
 */
#include "unit_test.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "util/bus_error.h"

enum { PAGES = 4 };

/* In a child there is nobody to report to: the number of the line is the status, as far as it goes.
 */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__ % 200 + 20;                                                            \
    } while (0)

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* A file of some pages of 'x', mapped; the descriptor to cut it short by. */
static unsigned char *map_file(int protection, int *ret_fd)
{
    size_t size = PAGES * page_size();
    int fd = memfd_create("test", MFD_CLOEXEC);
    unsigned char *map;

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return NULL;
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return NULL;
    memset(map, 'x', size);
    if (mprotect(map, size, protection) < 0)
        return NULL;
    *ret_fd = fd;
    return map;
}

static int is_rung(int event_fd)
{
    struct pollfd pollfd = { .fd = event_fd, .events = POLLIN };

    return poll(&pollfd, 1, 0) == 1;
}

static int read_what_is_gone(void *context)
{
    int event_fd = bus_error_install(), fd;
    volatile unsigned char *map = map_file(PROT_READ, &fd);
    uintptr_t address;

    (void)context;
    CHECK(map && event_fd >= 0);
    CHECK(map[2 * page_size() + 5] == 'x');
    CHECK(ftruncate(fd, (off_t)page_size()) == 0);
    CHECK(!is_rung(event_fd) && !bus_error_take(&address));
    CHECK(map[2 * page_size() + 5] == 0);
    CHECK(map[2 * page_size() + 6] == 0);
    CHECK(map[0] == 'x');
    CHECK(is_rung(event_fd));
    CHECK(bus_error_take(&address));
    CHECK(address == (uintptr_t)map + 2 * page_size());
    CHECK(!bus_error_take(&address)); /* once */
    return 0;
}

static int write_what_is_gone(void *context)
{
    int event_fd = bus_error_install(), fd;
    volatile unsigned char *map = map_file(PROT_READ | PROT_WRITE, &fd);
    uintptr_t address;

    (void)context;
    CHECK(map && event_fd >= 0);
    CHECK(ftruncate(fd, 0) == 0);
    map[page_size()] = 'y';
    CHECK(map[page_size()] == 'y');
    CHECK(map[page_size() + 1] == 0);
    CHECK(bus_error_take(&address) && address == (uintptr_t)map + page_size());
    return 0;
}

static int lose_several_pages(void *context)
{
    int event_fd = bus_error_install(), fd;
    volatile unsigned char *map = map_file(PROT_READ, &fd);
    uintptr_t address, sum = 0;

    (void)context;
    CHECK(map && event_fd >= 0);
    CHECK(ftruncate(fd, 0) == 0);
    for (size_t i = 0; i < PAGES; i++)
        CHECK(map[i * page_size()] == 0);
    for (size_t i = 0; i < PAGES; i++) {
        CHECK(bus_error_take(&address));
        sum += (address - (uintptr_t)map) / page_size();
    }
    CHECK(sum == 0 + 1 + 2 + 3);
    CHECK(!bus_error_take(&address));
    return 0;
}

/* More than are kept at once: they are survived all the same. */
static int lose_more_than_are_told(void *context)
{
    enum { MANY = 200 };
    int event_fd = bus_error_install(), fd = memfd_create("test", MFD_CLOEXEC);
    volatile unsigned char *map;
    uintptr_t address;
    size_t told = 0;

    (void)context;
    CHECK(event_fd >= 0 && ftruncate(fd, (off_t)(MANY * page_size())) == 0);
    map = mmap(NULL, MANY * page_size(), PROT_READ, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED && ftruncate(fd, 0) == 0);
    for (size_t i = 0; i < MANY; i++)
        CHECK(map[i * page_size()] == 0);
    while (bus_error_take(&address))
        told++;
    CHECK(told == 64);
    return 0;
}

static int be_sent_a_bus_error(void *context)
{
    (void)context;
    (void)bus_error_install();
    kill(getpid(), SIGBUS);
    return 0;
}

static int be_sent_one_with_a_value(void *context)
{
    siginfo_t info = { .si_signo = SIGBUS, .si_code = SI_QUEUE };

    (void)context;
    (void)bus_error_install();
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGBUS, &info);
    return 0;
}

static void page_that_is_gone_reads_as_zeros_and_is_told_once(void **state)
{
    (void)state;
    assert_exited_well(child_run(read_what_is_gone, NULL));
}

static void page_that_is_gone_can_be_written(void **state)
{
    (void)state;
    assert_exited_well(child_run(write_what_is_gone, NULL));
}

static void each_page_is_told(void **state)
{
    (void)state;
    assert_exited_well(child_run(lose_several_pages, NULL));
}

static void more_pages_than_are_kept_are_survived(void **state)
{
    (void)state;
    assert_exited_well(child_run(lose_more_than_are_told, NULL));
}

static void any_other_bus_error_ends_the_process(void **state)
{
    (void)state;
    assert_killed_by(child_run(be_sent_a_bus_error, NULL), SIGBUS);
    assert_killed_by(child_run(be_sent_one_with_a_value, NULL), SIGBUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_that_is_gone_reads_as_zeros_and_is_told_once),
        cmocka_unit_test(page_that_is_gone_can_be_written),
        cmocka_unit_test(each_page_is_told),
        cmocka_unit_test(more_pages_than_are_kept_are_survived),
        cmocka_unit_test(any_other_bus_error_ends_the_process),
    };

    return cmocka_run_group_tests_name("bus_error", tests, NULL, NULL);
}

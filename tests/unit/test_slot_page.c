#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memfd.h"
#include "shared/slot_page.h"

/* A page as both sides have it, and a bell. */
static struct {
    struct slot_page *daemon, *worker;
    int fd, bell;
} shared;

static int set_up(void **state)
{
    (void)state;
    shared.worker = NULL;
    shared.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(slot_page_new(&shared.daemon, &shared.fd), 0);
    assert_int_equal(slot_page_map(&shared.worker, shared.fd), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    slot_page_free(shared.daemon);
    slot_page_free(shared.worker);
    close(shared.fd);
    close(shared.bell);
    return 0;
}

static void tell(unsigned slot, uint32_t news)
{
    slot_page_tell(shared.worker, slot, news, shared.bell);
}

/* How often the bell was rung since it was looked at last. */
static uint64_t rings(void)
{
    uint64_t count;

    return read(shared.bell, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static uint32_t take(unsigned slot)
{
    return atomic_exchange(&shared.daemon->slots[slot].news, 0);
}

static void new_page_is_empty(void **state)
{
    (void)state;
    assert_int_equal(slot_page_take_news(shared.daemon), 0);
    assert_int_equal(slot_page_take_input(shared.worker), 0);
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        assert_int_equal(take(slot), 0);
    assert_int_equal(rings(), 0);
}

static void news_of_one_side_is_seen_by_the_other(void **state)
{
    (void)state;
    tell(0, SLOT_RUNNING);
    tell(63, SLOT_GONE);
    assert_int_equal(slot_page_take_news(shared.daemon), UINT64_C(1) | UINT64_C(1) << 63);
    assert_int_equal(take(0), SLOT_RUNNING);
    assert_int_equal(take(63), SLOT_GONE);
    assert_int_equal(slot_page_take_news(shared.daemon), 0);
}

static void news_that_was_not_looked_at_yet_only_adds_bits(void **state)
{
    (void)state;
    tell(5, SLOT_RUNNING);
    for (int i = 0; i < 1000; i++)
        tell(5, SLOT_OUTPUT);
    tell(5, SLOT_ENDED);
    assert_int_equal(rings(), 1);
    assert_int_equal(slot_page_take_news(shared.daemon), UINT64_C(1) << 5);
    assert_int_equal(take(5), SLOT_RUNNING | SLOT_OUTPUT | SLOT_ENDED);
}

static void bell_is_rung_once_for_any_number_of_slots(void **state)
{
    (void)state;
    for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
        tell(slot, SLOT_OUTPUT);
    assert_int_equal(rings(), 1);
    assert_int_equal(slot_page_take_news(shared.daemon), UINT64_MAX);
}

static void bell_is_rung_again_once_the_news_was_taken(void **state)
{
    (void)state;
    tell(1, SLOT_OUTPUT);
    assert_int_equal(rings(), 1);
    slot_page_take_news(shared.daemon);
    take(1);
    tell(1, SLOT_OUTPUT);
    assert_int_equal(rings(), 1);
}

/* Told between the two looks: it is in the bits that are about to be taken. */
static void news_that_comes_while_it_is_taken_is_not_lost(void **state)
{
    (void)state;
    tell(1, SLOT_OUTPUT);
    assert_int_equal(slot_page_take_news(shared.daemon), 2);
    tell(1, SLOT_ENDED);
    assert_int_equal(take(1), SLOT_OUTPUT | SLOT_ENDED);
    tell(1, SLOT_GONE);
    assert_int_equal(slot_page_take_news(shared.daemon), 2);
}

static void full_bell_is_one_that_has_rung(void **state)
{
    const uint64_t most = UINT64_MAX - 1;

    (void)state;
    assert_int_equal(write(shared.bell, &most, sizeof(most)), sizeof(most));
    tell(1, SLOT_OUTPUT);
    assert_int_equal(slot_page_take_news(shared.daemon), 2);
    assert_int_equal(take(1), SLOT_OUTPUT);
}

static void input_is_told_the_other_way_and_likewise(void **state)
{
    uint64_t calls[4];
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    for (int i = 0; i < 3; i++)
        slot_page_tell_input(shared.daemon, 7, ends[0]);
    slot_page_tell_input(shared.daemon, 8, ends[0]);
    assert_int_equal(read(ends[1], calls, sizeof(calls)), sizeof(calls[0]));
    assert_int_equal(slot_page_take_input(shared.worker), 3 << 7);
    assert_int_equal(slot_page_take_news(shared.daemon), 0);
    assert_int_equal(slot_page_take_input(shared.worker), 0);

    atomic_store(&shared.worker->slots[7].input, 0);
    slot_page_tell_input(shared.daemon, 7, ends[0]);
    slot_page_tell_input(shared.daemon, 8, ends[0]); /* whose bits nobody has taken yet */
    assert_int_equal(read(ends[1], calls, sizeof(calls)), sizeof(calls[0]));
    assert_int_equal(slot_page_take_input(shared.worker), 1 << 7);
    close(ends[0]);
    close(ends[1]);
}

/* Mapping. */

static void page_takes_the_place_of_another_at_the_same_address(void **state)
{
    struct slot_page *place = shared.worker, *next;
    int fd;

    (void)state;
    tell(3, SLOT_OUTPUT);
    assert_int_equal(slot_page_new(&next, &fd), 0);
    assert_int_equal(slot_page_map(&shared.worker, fd), 0);
    assert_ptr_equal(shared.worker, place);
    close(fd);
    tell(4, SLOT_RUNNING);
    assert_int_equal(slot_page_take_news(next), 1 << 4);
    assert_int_equal(slot_page_take_news(shared.daemon), 1 << 3); /* the old one stays as it was */
    slot_page_free(next);
}

static void assert_not_mapped(int fd, int expected)
{
    struct slot_page *page = NULL, *place = shared.worker;

    assert_int_equal(slot_page_map(&page, fd), expected);
    assert_null(page);
    assert_int_equal(slot_page_map(&shared.worker, fd), expected);
    assert_ptr_equal(shared.worker, place);
    tell(1, SLOT_OUTPUT); /* which is still there */
    slot_page_take_news(shared.daemon);
    take(1);
}

static int memory_of(off_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void memory_that_could_be_cut_short_is_refused(void **state)
{
    static const int seals[] = { 0, F_SEAL_GROW, F_SEAL_GROW | F_SEAL_SEAL };

    (void)state;
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        int fd = memory_of(sizeof(struct slot_page), seals[i]);

        assert_not_mapped(fd, -EBADMSG);
        close(fd);
    }
}

static void memory_that_is_too_short_is_refused(void **state)
{
    static const off_t sizes[] = { 0, 1, sizeof(struct slot_page) - 1 };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = memory_of(sizes[i], F_SEAL_SHRINK);

        assert_not_mapped(fd, -EBADMSG);
        close(fd);
    }
}

static void what_is_no_memory_is_refused(void **state)
{
    int ends[2], zero = open("/dev/zero", O_RDWR | O_CLOEXEC), plain = memfd_of("", 0);

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_not_mapped(ends[0], -EBADMSG);
    assert_not_mapped(zero, -EBADMSG);
    assert_not_mapped(plain, -EBADMSG);
    assert_not_mapped(-1, -EBADMSG);
    close(ends[0]);
    close(ends[1]);
    close(zero);
    close(plain);
}

static void nobody_can_cut_a_page_short(void **state)
{
    (void)state;
    assert_int_equal(ftruncate(shared.fd, 0), -1);
    assert_int_equal(errno, EPERM);
}

static void null_may_be_freed(void **state)
{
    (void)state;
    slot_page_free(NULL);
}

/* Threads. */

enum { TELLERS = 4, NEWS = 20000 };

static _Atomic unsigned sent[SLOTS_MAX];
static _Atomic unsigned finished;

static void *tell_much(void *argument)
{
    unsigned slot = *(unsigned *)argument;

    for (unsigned i = 0; i < NEWS; i++) {
        atomic_fetch_add(&sent[slot], 1);
        tell(slot, SLOT_OUTPUT);
    }
    atomic_fetch_add(&finished, 1);
    return NULL;
}

/* As the loop does it. Whether there was any. */
static bool look(unsigned seen[SLOTS_MAX])
{
    uint64_t slots = slot_page_take_news(shared.daemon);
    bool any = slots != 0;

    for (unsigned slot = 0; slots; slot++, slots >>= 1)
        if (slots & 1) {
            take(slot);
            seen[slot] = sent[slot];
        }
    return any;
}

/* Whoever looks only when it rings has in the end seen the last of all that was told. */
static void no_news_of_several_threads_is_lost(void **state)
{
    static unsigned slots[TELLERS] = { 0, 1, 31, 63 };
    unsigned seen[SLOTS_MAX] = { 0 };
    pthread_t threads[TELLERS];

    (void)state;
    for (unsigned i = 0; i < TELLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, tell_much, &slots[i]), 0);
    while (finished < TELLERS)
        if (rings() > 0)
            look(seen);
        else
            sched_yield();
    for (unsigned i = 0; i < TELLERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    if (rings() > 0)
        look(seen);
    for (unsigned i = 0; i < TELLERS; i++)
        assert_int_equal(seen[slots[i]], NEWS);
    assert_int_equal(rings(), 0);
}

int main(void)
{
#define page_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        page_test(new_page_is_empty),
        page_test(news_of_one_side_is_seen_by_the_other),
        page_test(news_that_was_not_looked_at_yet_only_adds_bits),
        page_test(bell_is_rung_once_for_any_number_of_slots),
        page_test(bell_is_rung_again_once_the_news_was_taken),
        page_test(news_that_comes_while_it_is_taken_is_not_lost),
        page_test(full_bell_is_one_that_has_rung),
        page_test(input_is_told_the_other_way_and_likewise),
        page_test(page_takes_the_place_of_another_at_the_same_address),
        page_test(memory_that_could_be_cut_short_is_refused),
        page_test(memory_that_is_too_short_is_refused),
        page_test(what_is_no_memory_is_refused),
        page_test(nobody_can_cut_a_page_short),
        page_test(null_may_be_freed),
        page_test(no_news_of_several_threads_is_lost),
    };
#undef page_test

    return cmocka_run_group_tests_name("slot_page", tests, NULL, NULL);
}

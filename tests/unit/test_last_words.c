/*
 * Each in a child: what is tested is how it ends.
 */
#include "unit_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "memfd.h"
#include "worker/last_words.h"

/* What a child does that is its end, and what it is to leave behind. */
struct death {
    void (*die)(void);
    int number;
    const char *words;
    int note_fd;
};

static void touch_what_is_not_there(void)
{
    volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    page[7] = 1;
}

static void *touch_in_a_thread(void *argument)
{
    (void)argument;
    touch_what_is_not_there();
    return NULL;
}

static void die_in_a_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, touch_in_a_thread, NULL) == 0)
        pthread_join(thread, NULL);
}

static void be_sent_sigsys(void)
{
    raise(SIGSYS);
}

static void be_sent_sigfpe(void)
{
    raise(SIGFPE);
}

static void be_sent_sigill(void)
{
    raise(SIGILL);
}

static void be_sent_sigtrap(void)
{
    raise(SIGTRAP);
}

static void be_sent_sigterm(void)
{
    raise(SIGTERM);
}

static void be_killed(void)
{
    raise(SIGKILL);
}

static int do_die(void *context)
{
    const struct death *death = context;

    last_words_install(death->note_fd);
    death->die();
    return 0;
}

static struct death deaths[] = {
    { touch_what_is_not_there, SIGSEGV, "SIGSEGV: it touched memory that is not there", -1 },
    { die_in_a_thread, SIGSEGV, "SIGSEGV: it touched memory that is not there", -1 },
    { abort, SIGABRT, "SIGABRT: an assertion did not hold, or memory was damaged", -1 },
    { be_sent_sigsys, SIGSYS, "SIGSYS: it made a system call that its filter forbids", -1 },
    { be_sent_sigfpe, SIGFPE, "SIGFPE: it divided by zero", -1 },
    { be_sent_sigill, SIGILL, "SIGILL: it ran what is no instruction", -1 },
    { be_sent_sigtrap, SIGTRAP, "SIGTRAP", -1 },
    { be_sent_sigterm, SIGTERM, "", -1 }, /* which is no fault */
    { be_killed, SIGKILL, "", -1 },       /* of which nobody can tell */
};

static void process_that_dies_leaves_why_and_dies_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
        struct death *death = &deaths[i];
        char words[128] = "";

        death->note_fd = memfd_of("", 0);
        assert_killed_by(child_run(do_die, death), death->number);
        assert_true(pread(death->note_fd, words, sizeof(words) - 1, 0) >= 0);
        assert_string_equal(words, death->words);
        close(death->note_fd);
    }
}

static void process_that_cannot_leave_a_note_dies_all_the_same(void **state)
{
    struct death death = { abort, SIGABRT, NULL, -1 };

    (void)state;
    assert_killed_by(child_run(do_die, &death), SIGABRT);
}

static void live_and_let_live(void)
{
}

static void process_that_ends_well_leaves_nothing(void **state)
{
    struct death death = { live_and_let_live, 0, NULL, memfd_of("", 0) };
    char byte;

    (void)state;
    assert_exited_well(child_run(do_die, &death));
    assert_int_equal(pread(death.note_fd, &byte, 1, 0), 0);
    close(death.note_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_that_dies_leaves_why_and_dies_of_it),
        cmocka_unit_test(process_that_cannot_leave_a_note_dies_all_the_same),
        cmocka_unit_test(process_that_ends_well_leaves_nothing),
    };

    return cmocka_run_group_tests_name("last_words", tests, NULL, NULL);
}

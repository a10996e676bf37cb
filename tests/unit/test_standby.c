/*
 * Threads that wait for guests. The guests are the tests' own: the linker has guest_thread_run()
 * come here, and pthread_create(), which may find that there are no more.
 */
#include "unit_test.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "kvm/vcpu_kick.h"
#include "worker/guest.h"
#include "worker/standby.h"

/* What stands in a guest's place. Static, all of them: a thread may be late to leave. */
struct visitor {
    struct guest guest; /* first: it is what the thread is handed */
    sem_t may_leave;
    sem_t has_come;
    pid_t thread;
    sigset_t mask;
};

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
void __wrap_guest_thread_run(struct guest *guest);

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
void __wrap_guest_thread_run(struct guest *guest)
{
    struct visitor *visitor = (struct visitor *)(void *)guest;

    visitor->thread = gettid();
    pthread_sigmask(SIG_SETMASK, NULL, &visitor->mask);
    sem_post(&visitor->has_come);
    while (sem_wait(&visitor->may_leave) < 0)
        ;
}

static _Atomic bool no_more_threads;

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *argument), void *argument);
/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *argument), void *argument);

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *argument), void *argument)
{
    return no_more_threads ? EAGAIN : __real_pthread_create(thread, attributes, fn, argument);
}

/* There is no end to one but the process's. */
static struct standby *standby;

static int make_standby(void **state)
{
    (void)state;
    return standby_new(&standby);
}

static void invite(struct visitor *visitor)
{
    *visitor = (struct visitor){ .thread = 0 };
    sem_init(&visitor->may_leave, 0, 0);
    sem_init(&visitor->has_come, 0, 0);
}

static void begin(struct visitor *visitor)
{
    struct error err;

    invite(visitor);
    if (standby_run(standby, &visitor->guest, &err) < 0)
        fail_msg("%s", err.text);
    while (sem_wait(&visitor->has_come) < 0)
        ;
}

static void leave(struct visitor *visitor)
{
    sem_post(&visitor->may_leave);
}

static size_t count_threads(void)
{
    DIR *entries = opendir("/proc/self/task");
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(entries);
    while ((entry = readdir(entries)))
        count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

/* Until there are no more threads than that: those that nobody needs end by themselves. */
static void wait_for_threads(size_t count)
{
    for (int i = 0; i < 20000 && count_threads() > count; i++)
        usleep(1000);
    assert_in_range(count_threads(), 1, count);
}

/* Threads that are there besides, a sanitizer's among them. */
static size_t others;

static void *do_nothing(void *argument)
{
    return argument;
}

/* A sanitizer starts its own with the first. */
static void count_others(void)
{
    pthread_t first;

    if (pthread_create(&first, NULL, do_nothing, NULL) == 0)
        pthread_join(first, NULL);
    others = count_threads();
}

static void guest_runs_on_a_thread_of_its_own(void **state)
{
    static struct visitor visitor;

    (void)state;
    begin(&visitor);
    assert_int_not_equal(visitor.thread, gettid());
    leave(&visitor);
}

static void thread_is_there_before_there_is_a_guest(void **state)
{
    static struct visitor visitor;

    (void)state;
    standby_replenish(standby);
    usleep(10000);
    no_more_threads = true;
    begin(&visitor);
    no_more_threads = false;
    leave(&visitor);
}

static void several_guests_run_at_once(void **state)
{
    static struct visitor visitors[20];

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        begin(&visitors[i]); /* which waits until it is there, beside the others */
        for (size_t n = 0; n < i; n++)
            assert_int_not_equal(visitors[i].thread, visitors[n].thread);
    }
    for (size_t i = 0; i < 20; i++)
        leave(&visitors[i]);
}

static void few_threads_wait_for_the_next_guests(void **state)
{
    static struct visitor visitors[20];

    (void)state;
    for (size_t i = 0; i < 20; i++)
        begin(&visitors[i]);
    for (size_t i = 0; i < 20; i++)
        leave(&visitors[i]);
    wait_for_threads(others + 2);
    for (int i = 0; i < 10; i++)
        standby_replenish(standby);
    wait_for_threads(others + 2);
}

static void thread_is_used_again(void **state)
{
    static struct visitor visitors[50];
    pid_t seen[50];
    size_t threads = 0;

    (void)state;
    wait_for_threads(others + 2);
    for (size_t i = 0; i < 50; i++) {
        size_t n = 0;

        begin(&visitors[i]);
        leave(&visitors[i]);
        while (n < threads && seen[n] != visitors[i].thread)
            n++;
        if (n == threads)
            seen[threads++] = visitors[i].thread;
        usleep(2000); /* for it to come back */
    }
    assert_in_range(threads, 1, 25); /* of 50: on a busy machine one may be late */
}

static void only_a_kick_interrupts_a_guest(void **state)
{
    static struct visitor visitor;

    (void)state;
    begin(&visitor);
    assert_false(sigismember(&visitor.mask, vcpu_kick_signal()));
    assert_true(sigismember(&visitor.mask, SIGTERM));
    assert_true(sigismember(&visitor.mask, SIGINT));
    assert_true(sigismember(&visitor.mask, SIGUSR2));
    leave(&visitor);
}

/* A kick that comes late finds the thread waiting. */
static void kick_of_a_guest_that_is_gone_is_of_no_consequence(void **state)
{
    static struct visitor visitor, next;

    (void)state;
    begin(&visitor);
    leave(&visitor);
    usleep(10000);
    (void)tgkill(getpid(), visitor.thread, vcpu_kick_signal());
    usleep(10000);
    begin(&next);
    leave(&next);
}

static void no_more_threads_are_told_and_the_next_start_finds_some(void **state)
{
    static struct visitor visitors[4], late;
    struct error err;
    size_t count = 0;

    (void)state;
    wait_for_threads(others + 2);
    usleep(10000);
    no_more_threads = true;
    while (count < 4) { /* at most as many as waited */
        invite(&visitors[count]);
        if (standby_run(standby, &visitors[count].guest, &err) < 0)
            break;
        count++;
    }
    assert_in_range(count, 0, 2);
    assert_int_equal(err.code, -EAGAIN);
    assert_string_equal(err.text, "cannot start a thread for the VM: no more are to be had");
    standby_replenish(standby); /* which cannot, and goes on */
    no_more_threads = false;
    begin(&late);
    leave(&late);
    for (size_t i = 0; i < count; i++)
        leave(&visitors[i]);
    standby_replenish(standby);
    wait_for_threads(others + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_runs_on_a_thread_of_its_own),
        cmocka_unit_test(thread_is_there_before_there_is_a_guest),
        cmocka_unit_test(several_guests_run_at_once),
        cmocka_unit_test(few_threads_wait_for_the_next_guests),
        cmocka_unit_test(thread_is_used_again),
        cmocka_unit_test(only_a_kick_interrupts_a_guest),
        cmocka_unit_test(kick_of_a_guest_that_is_gone_is_of_no_consequence),
        cmocka_unit_test(no_more_threads_are_told_and_the_next_start_finds_some),
    };

    vcpu_kick_install();
    count_others();
    return cmocka_run_group_tests_name("standby", tests, make_standby, NULL);
}

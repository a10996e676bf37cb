#include "unit_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "shared/link.h"
#include "shared/slot_page.h"
#include "util/closer.h"
#include "vm/worker.h"

#include "temporary_directory.h"

enum { NUMBER = 7, SLOT = 3, TURNS = 8 };

/* A worker as the daemon sees it, and its other side, which is the test's. */
struct fixture {
    struct temporary_directory directory;
    struct worker_owner owner;
    struct worker *worker;
    int listen_fd;
    int link_fd;
    int bell_fd;
    struct slot_page *page;
    char told[128]; /* to the owner, a word each */
};

static void note(struct fixture *fixture, const char *word)
{
    size_t used = strlen(fixture->told);

    snprintf(fixture->told + used, sizeof(fixture->told) - used, "%s ", word);
}

static void on_greeted(void *context, struct worker *worker)
{
    (void)worker;
    note(context, "greeted");
}

static void on_report(void *context, struct worker *worker, const struct link_report *report)
{
    (void)worker;
    assert_int_equal(report->vm.slot, SLOT);
    note(context, "report");
}

static void on_reported(void *context, struct worker *worker)
{
    (void)worker;
    note(context, "reported");
}

static void on_refused(void *context, struct worker *worker, const struct link_refused *refused)
{
    (void)worker;
    assert_int_equal(refused->vm.slot, SLOT);
    note(context, "refused");
}

static void on_news(void *context, struct worker *worker, unsigned slot, uint32_t news)
{
    (void)worker, (void)news;
    assert_int_equal(slot, SLOT);
    note(context, "news");
}

static void listen_as_worker(struct fixture *fixture)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%d.sock",
             fixture->directory.fd, NUMBER);
    fixture->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(fixture->listen_fd >= 0);
    assert_int_equal(bind(fixture->listen_fd, (const struct sockaddr *)&address, sizeof(address)),
                     0);
    assert_int_equal(listen(fixture->listen_fd, 1), 0);
}

static void take_daemon_s_greeting(struct fixture *fixture)
{
    static struct link_message message;
    int page_fd;

    fixture->link_fd = accept4(fixture->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fixture->link_fd >= 0);
    assert_int_equal(link_receive(fixture->link_fd, &message), 0);
    page_fd = link_message_take_fd(&message, 0);
    fixture->bell_fd = link_message_take_fd(&message, 1);
    assert_int_equal(slot_page_map(&fixture->page, page_fd), 0);
    close(page_fd);
    link_message_release(&message);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct error err;

    fixture = (struct fixture){ .listen_fd = -1 };
    temporary_directory_init(&fixture.directory);
    listen_as_worker(&fixture);
    fixture.owner = (struct worker_owner){
        .base = event_base_new(),
        .directory_fd = fixture.directory.fd,
        .greeted = on_greeted,
        .report = on_report,
        .reported = on_reported,
        .refused = on_refused,
        .news = on_news,
        .context = &fixture,
    };
    assert_int_equal(closer_new(&fixture.owner.closer), 0);
    assert_int_equal(worker_connect(&fixture.owner, NUMBER, &fixture.worker, &err), 0);
    take_daemon_s_greeting(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    worker_free(fixture->worker);
    worker_remove_files(fixture->directory.fd, NUMBER);
    closer_free(fixture->owner.closer);
    event_base_free(fixture->owner.base);
    slot_page_free(fixture->page);
    close(fixture->bell_fd);
    close(fixture->link_fd);
    close(fixture->listen_fd);
    temporary_directory_deinit(&fixture->directory);
    return 0;
}

static void greet(struct fixture *fixture, uint32_t vm_count)
{
    const struct link_worker_greeting greeting = {
        .head = LINK_HEAD(LINK_GREETING, greeting),
        .version = LINK_VERSION,
        .version_oldest = LINK_VERSION_OLDEST,
        .vm_count = vm_count,
    };

    assert_int_equal(link_send(fixture->link_fd, &greeting, sizeof(greeting), NULL, 0), 0);
}

static void report(struct fixture *fixture)
{
    const struct link_report report = {
        .vm = { .head = LINK_HEAD(LINK_REPORT, report), .id = 1, .slot = SLOT },
        .phase = LINK_PHASE_RUNNING,
    };

    assert_int_equal(link_send(fixture->link_fd, &report, sizeof(report), NULL, 0), 0);
}

static void turn(struct fixture *fixture)
{
    for (int i = 0; i < TURNS; i++)
        event_base_loop(fixture->owner.base, EVLOOP_NONBLOCK);
}

/* The bell rings first, and what it rings for comes after the report was made. */
static void news_is_told_after_the_reports(void **state)
{
    struct fixture *fixture = *state;

    slot_page_tell(fixture->page, SLOT, SLOT_OUTPUT, fixture->bell_fd);
    turn(fixture);
    assert_string_equal(fixture->told, "");
    greet(fixture, 1);
    turn(fixture);
    assert_string_equal(fixture->told, "greeted ");
    report(fixture);
    slot_page_tell(fixture->page, SLOT, SLOT_ENDED, fixture->bell_fd);
    turn(fixture);
    assert_string_equal(fixture->told, "greeted report reported news ");
}

static void news_of_a_worker_without_vms_is_heard_once_it_has_greeted(void **state)
{
    struct fixture *fixture = *state;

    greet(fixture, 0);
    turn(fixture);
    slot_page_tell(fixture->page, SLOT, SLOT_RUNNING, fixture->bell_fd);
    turn(fixture);
    slot_page_tell(fixture->page, SLOT, SLOT_ENDED, fixture->bell_fd);
    turn(fixture);
    assert_string_equal(fixture->told, "greeted reported news news ");
}

/* It has not read all that it was sent: the kernel tells that first. */
static void what_a_worker_said_before_it_died_is_heard(void **state)
{
    struct fixture *fixture = *state;
    const struct link_log_level unread = { .head = LINK_HEAD(LINK_LOG_LEVEL, unread) };
    const struct link_refused refused = {
        .vm = { .head = LINK_HEAD(LINK_REFUSED, refused), .id = 1, .slot = SLOT },
    };

    greet(fixture, 0);
    turn(fixture);
    assert_int_equal(worker_send(fixture->worker, &unread, sizeof(unread), NULL, 0), 0);
    assert_int_equal(link_send(fixture->link_fd, &refused, sizeof(refused), NULL, 0), 0);
    close(fixture->link_fd);
    fixture->link_fd = -1;
    turn(fixture);
    assert_string_equal(fixture->told, "greeted reported refused ");
}

/* Whatever it was given before could be found by nobody, if the daemon were gone. */
static void nothing_is_asked_of_a_worker_that_has_not_greeted(void **state)
{
    struct fixture *fixture = *state;
    static struct link_message message;

    for (uint32_t level = 0; level < 3; level++) {
        const struct link_log_level asked = { .head = LINK_HEAD(LINK_LOG_LEVEL, asked),
                                              .level = level };

        assert_int_equal(worker_send(fixture->worker, &asked, sizeof(asked), NULL, 0), 0);
    }
    turn(fixture);
    assert_int_equal(link_receive(fixture->link_fd, &message), -EAGAIN);
    assert_true(worker_is_owed(fixture->worker));
    greet(fixture, 0);
    turn(fixture);
    assert_false(worker_is_owed(fixture->worker));
    for (uint32_t level = 0; level < 3; level++) {
        struct link_log_level asked;

        assert_int_equal(link_receive(fixture->link_fd, &message), 0);
        link_message_read(&message, &asked, sizeof(asked));
        assert_int_equal(asked.level, level);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(news_is_told_after_the_reports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(news_of_a_worker_without_vms_is_heard_once_it_has_greeted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_worker_said_before_it_died_is_heard, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_asked_of_a_worker_that_has_not_greeted, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}

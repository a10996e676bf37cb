#include "unit_test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/link.h"
#include "shared/slot_page.h"
#include "util/log.h"
#include "worker/control.h"

enum { LINES = 300 }; /* more than a socket holds */

/* A control thread without KVM, and the daemon's side of its link. */
struct fixture {
    struct control *control;
    pthread_t thread;
    int link_fd;
    int page_fd;
    int bell_fd;
    struct slot_page *page;
};

static struct link_message message;

static void *run(void *context)
{
    control_run(context);
    return NULL;
}

static int bound_socket(void)
{
    const struct sockaddr_un nowhere = { .sun_family = AF_UNIX }; /* unix(7): autobind */
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&nowhere, sizeof(sa_family_t)), 0);
    return fd;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct control_setup setup = { .kvm_error = { .code = -ENODEV, .text = "there is none" } };
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    fixture.link_fd = ends[0];
    setup.link_fd = ends[1];
    setup.listen_fd = bound_socket();
    fixture.bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(slot_page_new(&fixture.page, &fixture.page_fd), 0);
    assert_int_equal(control_new(&setup, &fixture.control), 0);
    assert_int_equal(pthread_create(&fixture.thread, NULL, run, fixture.control), 0);
    *state = &fixture;
    return 0;
}

/* It ends when there is no daemon. */
static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    close(fixture->link_fd);
    pthread_join(fixture->thread, NULL);
    return 0;
}

static void greet(const struct fixture *fixture)
{
    const struct link_daemon_greeting greeting = {
        .head = LINK_HEAD(LINK_GREETING, greeting),
        .version = LINK_VERSION,
        .log_level = LOG_LEVEL_INFO,
    };
    const int fds[] = { fixture->page_fd, fixture->bell_fd, fixture->bell_fd };

    assert_int_equal(link_send(fixture->link_fd, &greeting, sizeof(greeting), fds, 3), 0);
}

static uint32_t next_type(const struct fixture *fixture)
{
    struct pollfd pollfd = { .fd = fixture->link_fd, .events = POLLIN };

    assert_int_equal(poll(&pollfd, 1, 10000), 1);
    assert_int_equal(link_receive(fixture->link_fd, &message), 0);
    return message.head.type;
}

/* However much it has to say to a daemon that does not read meanwhile. */
static void answers_come_behind_lines_without_end(void **state)
{
    struct fixture *fixture = *state;
    uint32_t refused = 0;

    greet(fixture);
    assert_int_equal(next_type(fixture), LINK_GREETING);
    for (int i = 0; i < LINES; i++)
        log_info("line %d", i);
    for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
        const struct link_vm start = {
            .head = { .type = LINK_START, .size = sizeof(start) },
            .id = slot + 1,
            .slot = slot,
        };

        assert_int_equal(link_send(fixture->link_fd, &start, sizeof(start), NULL, 0), 0);
    }
    while (atomic_load(&fixture->page->heard) < SLOTS_MAX)
        usleep(1000);
    while (refused < SLOTS_MAX) {
        struct link_refused answer;

        if (next_type(fixture) == LINK_LOG)
            continue;
        assert_int_equal(message.head.type, LINK_REFUSED);
        link_message_read(&message, &answer, sizeof(answer));
        assert_int_equal(answer.vm.slot, refused);
        refused++;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_come_behind_lines_without_end, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}

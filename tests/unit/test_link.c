#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memfd.h"
#include "open_descriptors.h"
#include "shared/link.h"

/* Both ends of a link. */
static struct {
    int ends[2];
} pair;

static int set_up(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.ends);
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (pair.ends[i] >= 0)
            close(pair.ends[i]);
    return 0;
}

static void hang_up(void)
{
    close(pair.ends[0]);
    pair.ends[0] = -1;
}

/* Too large for a stack that a sanitizer watches. */
static struct link_message message;

/* A report, as either side may be of any version: with more or fewer bytes. */
static void send_report_of_size(size_t size)
{
    struct {
        struct link_report report;
        char more[64];
    } sent = { .report = { .vm = { .id = 7, .slot = 3 }, .phase = 2, .has_input = 1 } };

    assert_true(size <= sizeof(sent));
    memset(sent.more, 0xff, sizeof(sent.more));
    sent.report.vm.head = (struct link_head){ .type = LINK_REPORT, .size = (uint32_t)size };
    assert_int_equal(link_send(pair.ends[0], &sent, size, NULL, 0), 0);
}

/* Raw bytes, which may be no message. */
static void send_bytes(const void *bytes, size_t size)
{
    assert_int_equal(send(pair.ends[0], bytes, size, 0), size);
}

typedef int (*receive_fn)(int fd, struct link_message *ret);

static const receive_fn receivers[] = { link_receive, link_receive_plain };

enum { RECEIVERS = 2 };

/* Sending and receiving. */

static void message_comes_as_it_was_sent(void **state)
{
    struct link_report report;

    (void)state;
    for (size_t i = 0; i < RECEIVERS; i++) {
        send_report_of_size(sizeof(report));
        assert_int_equal(receivers[i](pair.ends[1], &message), 0);
        assert_int_equal(message.head.type, LINK_REPORT);
        assert_int_equal(message.size, sizeof(report));
        assert_int_equal(message.fd_count, 0);
        link_message_read(&message, &report, sizeof(report));
        assert_int_equal(report.vm.id, 7);
        assert_int_equal(report.vm.slot, 3);
        assert_int_equal(report.has_input, 1);
    }
}

static void messages_come_in_order_and_one_by_one(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 3; i++) {
        const struct link_head head = { .type = i, .size = sizeof(head) };

        assert_int_equal(link_send(pair.ends[0], &head, sizeof(head), NULL, 0), 0);
    }
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(receivers[i % 2](pair.ends[1], &message), 0);
        assert_int_equal(message.head.type, i);
    }
    assert_int_equal(link_receive(pair.ends[1], &message), -EAGAIN);
}

static void largest_message_comes_whole(void **state)
{
    static struct link_message sent;

    (void)state;
    memset(sent.bytes, 'x', sizeof(sent.bytes));
    sent.head = (struct link_head){ .type = LINK_START, .size = LINK_MESSAGE_MAX };
    for (size_t i = 0; i < RECEIVERS; i++) {
        assert_int_equal(link_send(pair.ends[0], sent.bytes, LINK_MESSAGE_MAX, NULL, 0), 0);
        assert_int_equal(receivers[i](pair.ends[1], &message), 0);
        assert_int_equal(message.size, LINK_MESSAGE_MAX);
        assert_memory_equal(message.bytes, sent.bytes, LINK_MESSAGE_MAX);
    }
}

static void nothing_there_is_told_and_not_waited_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECEIVERS; i++) {
        message.fd_count = 77;
        assert_int_equal(receivers[i](pair.ends[1], &message), -EAGAIN);
        assert_int_equal(message.fd_count, 0);
    }
}

static void no_room_is_told_and_not_waited_for(void **state)
{
    int r, sent = 0, received = 0;

    (void)state;
    do {
        const struct link_head head = { .type = (uint32_t)sent, .size = sizeof(head) };

        r = link_send(pair.ends[0], &head, sizeof(head), NULL, 0);
    } while (r == 0 && ++sent < 1000000);
    assert_int_equal(r, -EAGAIN);
    while (link_receive(pair.ends[1], &message) == 0)
        assert_int_equal(message.head.type, received++);
    assert_int_equal(received, sent);
    send_report_of_size(sizeof(struct link_report));
}

static void other_side_that_hung_up_is_told_on_both_ways(void **state)
{
    const struct link_head head = { .type = 1, .size = sizeof(head) };

    (void)state;
    send_report_of_size(sizeof(struct link_report));
    hang_up();
    assert_int_equal(link_receive(pair.ends[1], &message), 0); /* what it said before */
    for (size_t i = 0; i < RECEIVERS; i++)
        assert_int_equal(receivers[i](pair.ends[1], &message), -EPIPE);
    assert_int_equal(link_send(pair.ends[1], &head, sizeof(head), NULL, 0), -EPIPE);
}

/* What was sent to it and not read makes it a reset. */
static void reset_is_a_hang_up_like_any_other(void **state)
{
    const struct link_head head = { .type = 1, .size = sizeof(head) };

    (void)state;
    for (size_t i = 0; i < RECEIVERS; i++) {
        assert_int_equal(link_send(pair.ends[1], &head, sizeof(head), NULL, 0), 0);
        hang_up();
        assert_int_equal(receivers[i](pair.ends[1], &message), -EPIPE);
        close(pair.ends[1]);
        set_up(NULL);
    }
}

static void descriptor_that_is_no_link_is_an_error_of_its_own(void **state)
{
    const struct link_head head = { .type = 1, .size = sizeof(head) };

    (void)state;
    assert_int_equal(link_send(-1, &head, sizeof(head), NULL, 0), -EBADF);
    for (size_t i = 0; i < RECEIVERS; i++)
        assert_int_equal(receivers[i](-1, &message), -EBADF);
}

/* Sizes. */

static void message_that_is_not_as_long_as_it_says_is_none(void **state)
{
    static const uint32_t said[] = { 0, 1, 8, 31, 33, 64, UINT32_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        for (size_t n = 0; n < RECEIVERS; n++) {
            struct link_report report = { .vm.head = { .type = LINK_REPORT, .size = said[i] } };

            send_bytes(&report, sizeof(report));
            assert_int_equal(receivers[n](pair.ends[1], &message), -EBADMSG);
        }
}

static void message_without_a_whole_head_is_none(void **state)
{
    static const char bytes[8] = { 0 };

    (void)state;
    for (size_t size = 1; size < sizeof(struct link_head); size++)
        for (size_t n = 0; n < RECEIVERS; n++) {
            send_bytes(bytes, size);
            assert_int_equal(receivers[n](pair.ends[1], &message), -EBADMSG);
        }
}

static void message_that_is_too_long_is_none_and_the_next_one_comes(void **state)
{
    static struct {
        struct link_head head;
        char bytes[LINK_MESSAGE_MAX];
    } large;

    (void)state;
    for (size_t n = 0; n < RECEIVERS; n++)
        for (uint32_t said = LINK_MESSAGE_MAX; said <= sizeof(large);
             said += sizeof(large) - LINK_MESSAGE_MAX) {
            large.head = (struct link_head){ .type = LINK_LOG, .size = said };
            send_bytes(&large, sizeof(large));
            send_report_of_size(sizeof(struct link_report));
            assert_int_equal(receivers[n](pair.ends[1], &message), -EBADMSG);
            assert_int_equal(receivers[n](pair.ends[1], &message), 0);
            assert_int_equal(message.head.type, LINK_REPORT);
        }
}

/* Versions. */

static void shorter_message_of_an_earlier_version_has_zeros_for_the_rest(void **state)
{
    struct link_report report;

    (void)state;
    send_report_of_size(offsetof(struct link_report, has_input));
    assert_int_equal(link_receive(pair.ends[1], &message), 0);
    memset(&report, 0xff, sizeof(report));
    link_message_read(&message, &report, sizeof(report));
    assert_int_equal(report.phase, 2);
    assert_int_equal(report.has_input, 0);
}

static void longer_message_of_a_later_version_is_read_as_far_as_it_is_known(void **state)
{
    struct {
        struct link_report report;
        char behind[8];
    } read = { .behind = "behind" };

    (void)state;
    send_report_of_size(sizeof(struct link_report) + 64);
    assert_int_equal(link_receive(pair.ends[1], &message), 0);
    link_message_read(&message, &read.report, sizeof(read.report));
    assert_int_equal(read.report.has_input, 1);
    assert_string_equal(read.behind, "behind");
}

static void message_that_is_only_a_head_can_be_read_as_any(void **state)
{
    const struct link_head head = { .type = LINK_END, .size = sizeof(head) };
    struct link_end end;

    (void)state;
    assert_int_equal(link_send(pair.ends[0], &head, sizeof(head), NULL, 0), 0);
    assert_int_equal(link_receive(pair.ends[1], &message), 0);
    memset(&end, 0xff, sizeof(end));
    link_message_read(&message, &end, sizeof(end));
    assert_int_equal(end.vm.head.type, LINK_END);
    assert_int_equal(end.vm.id, 0);
    assert_int_equal(end.sentence[0], '\0');
}

/* Descriptors. */

static void send_fds(size_t count)
{
    const struct link_head head = { .type = 1, .size = sizeof(head) };
    int fds[16];

    for (size_t i = 0; i < count; i++) {
        char digit = (char)('0' + i);

        fds[i] = memfd_of(&digit, 1);
    }
    assert_int_equal(link_send(pair.ends[0], &head, sizeof(head), fds, count), 0);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void descriptors_come_in_their_order_and_are_closed_on_exec(void **state)
{
    (void)state;
    send_fds(LINK_FDS_MAX);
    assert_int_equal(link_receive(pair.ends[1], &message), 0);
    assert_int_equal(message.fd_count, LINK_FDS_MAX);
    for (size_t i = 0; i < LINK_FDS_MAX; i++) {
        int fd = link_message_take_fd(&message, i);
        char digit;

        assert_int_equal(pread(fd, &digit, 1, 0), 1);
        assert_int_equal(digit, '0' + (int)i);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
    }
}

static void descriptor_is_taken_once(void **state)
{
    int fd;

    (void)state;
    send_fds(2);
    assert_int_equal(link_receive(pair.ends[1], &message), 0);
    fd = link_message_take_fd(&message, 1);
    assert_true(fd >= 0);
    assert_int_equal(link_message_take_fd(&message, 1), -1);
    assert_int_equal(link_message_take_fd(&message, 2), -1);
    assert_int_equal(link_message_take_fd(&message, 77), -1);
    link_message_release(&message);
    assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    close(fd);
}

static void release_closes_what_was_not_taken(void **state)
{
    size_t before = open_descriptors();

    (void)state;
    send_fds(3);
    assert_int_equal(link_receive(pair.ends[1], &message), 0);
    assert_int_equal(open_descriptors(), before + 3);
    close(link_message_take_fd(&message, 1));
    link_message_release(&message);
    assert_int_equal(open_descriptors(), before);
    link_message_release(&message);
}

static void message_that_is_none_leaves_no_descriptors(void **state)
{
    const struct link_head head = { .type = 1, .size = 999 };
    size_t before = open_descriptors();
    int fd = memfd_of("", 0);

    (void)state;
    assert_int_equal(link_send(pair.ends[0], &head, sizeof(head), &fd, 1), 0);
    close(fd);
    assert_int_equal(link_receive(pair.ends[1], &message), -EBADMSG);
    assert_int_equal(message.fd_count, 0);
    assert_int_equal(open_descriptors(), before);
}

/* One sends as many as there may be; no more than there is room for are received. */
static void more_descriptors_than_there_is_room_for_are_not_received(void **state)
{
    const struct link_head head = { .type = 1, .size = sizeof(head) };
    union {
        char bytes[CMSG_SPACE(16 * sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { .iov_base = (void *)(uintptr_t)&head, .iov_len = sizeof(head) };
    struct msghdr header = { .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    size_t before = open_descriptors();
    int fd = memfd_of("", 0);

    (void)state;
    *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS,
                           .cmsg_len = CMSG_LEN(16 * sizeof(int)) };
    for (size_t i = 0; i < 16; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
    assert_int_equal(sendmsg(pair.ends[0], &header, 0), sizeof(head));
    close(fd);
    assert_int_equal(link_receive(pair.ends[1], &message), 0);
    assert_int_equal(message.fd_count, LINK_FDS_MAX);
    link_message_release(&message);
    assert_int_equal(open_descriptors(), before);
}

/* Where none may be sent, none is installed, nor closed: it is still in the socket. */
static void descriptors_are_not_installed_where_none_may_come(void **state)
{
    size_t before = open_descriptors();

    (void)state;
    send_fds(1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(link_receive_plain(pair.ends[1], &message), -EPROTO);
        assert_int_equal(message.fd_count, 0);
        assert_int_equal(open_descriptors(), before);
    }
    assert_int_equal(link_receive(pair.ends[1], &message), 0);
    assert_int_equal(message.fd_count, 1);
    link_message_release(&message);
}

static void what_came_before_descriptors_is_received_where_none_may_come(void **state)
{
    (void)state;
    send_report_of_size(sizeof(struct link_report));
    send_fds(1);
    assert_int_equal(link_receive_plain(pair.ends[1], &message), 0);
    assert_int_equal(message.head.type, LINK_REPORT);
    assert_int_equal(link_receive_plain(pair.ends[1], &message), -EPROTO);
}

static void descriptors_with_no_bytes_are_no_message(void **state)
{
    size_t before = open_descriptors();
    int fd = memfd_of("", 0);

    (void)state;
    assert_int_equal(link_send(pair.ends[0], "", 0, &fd, 1), 0);
    close(fd);
    assert_int_equal(link_receive_plain(pair.ends[1], &message), -EPROTO);
    assert_int_equal(link_receive(pair.ends[1], &message), -EBADMSG);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
#define link_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        link_test(message_comes_as_it_was_sent),
        link_test(messages_come_in_order_and_one_by_one),
        link_test(largest_message_comes_whole),
        link_test(nothing_there_is_told_and_not_waited_for),
        link_test(no_room_is_told_and_not_waited_for),
        link_test(other_side_that_hung_up_is_told_on_both_ways),
        link_test(reset_is_a_hang_up_like_any_other),
        link_test(descriptor_that_is_no_link_is_an_error_of_its_own),
        link_test(message_that_is_not_as_long_as_it_says_is_none),
        link_test(message_without_a_whole_head_is_none),
        link_test(message_that_is_too_long_is_none_and_the_next_one_comes),
        link_test(shorter_message_of_an_earlier_version_has_zeros_for_the_rest),
        link_test(longer_message_of_a_later_version_is_read_as_far_as_it_is_known),
        link_test(message_that_is_only_a_head_can_be_read_as_any),
        link_test(descriptors_come_in_their_order_and_are_closed_on_exec),
        link_test(descriptor_is_taken_once),
        link_test(release_closes_what_was_not_taken),
        link_test(message_that_is_none_leaves_no_descriptors),
        link_test(more_descriptors_than_there_is_room_for_are_not_received),
        link_test(descriptors_are_not_installed_where_none_may_come),
        link_test(what_came_before_descriptors_is_received_where_none_may_come),
        link_test(descriptors_with_no_bytes_are_no_message),
    };
#undef link_test

    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}

/*
 * What clients send, taken from real sockets and passed on by others.
 */
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfd.h"
#include "temporary_directory.h"
#include "worker/receiver.h"

enum { CLIENT = 7, OTHER = 8, FDS_MAX = 253 };

/* A client's socket, and who receives for it. There is one for all tests: it has threads. */
static struct {
    struct receiver *receiver;
    int client; /* the client's end */
    int ours;
    uint64_t position; /* bytes that were received of it */
} scene;

/* Too large for a stack that a sanitizer watches. */
static struct link_message message;

static int make_receiver(void **state)
{
    (void)state;
    scene.receiver = receiver_new();
    return scene.receiver ? 0 : -1;
}

static int set_up(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    scene.client = ends[0];
    scene.ours = ends[1];
    scene.position = 0;
    return 0;
}

static void forget(uint64_t client, uint64_t until)
{
    const struct link_forget wish = { .head = LINK_HEAD(LINK_FORGET, wish),
                                      .client = client,
                                      .until = until };

    memcpy(message.bytes, &wish, sizeof(wish));
    message.size = sizeof(wish);
    message.fd_count = 0;
    receiver_forget(scene.receiver, &message);
}

static void forget_all(uint64_t client)
{
    forget(client, UINT64_MAX);
}

static int tear_down(void **state)
{
    (void)state;
    forget_all(CLIENT);
    forget_all(OTHER);
    close(scene.client);
    close(scene.ours);
    return 0;
}

/* The client sends bytes, with descriptors. */
static void send_fds(const int *fds, size_t count, size_t bytes)
{
    static const char data[8192];
    union {
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = bytes };
    struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

    if (count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        *CMSG_FIRSTHDR(&header) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                                    .cmsg_type = SCM_RIGHTS,
                                                    .cmsg_len = CMSG_LEN(count * sizeof(int)) };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), fds, count * sizeof(int));
    }
    assert_int_equal(sendmsg(scene.client, &header, 0), bytes);
}

/* A file that holds that text. */
static void send_file(const char *text, size_t bytes)
{
    int fd = memfd_of(text, strlen(text));

    send_fds(&fd, 1, bytes);
    close(fd);
}

/* Has so many bytes of the client taken, and the descriptors that came with them. */
static struct link_received take(uint64_t client, uint64_t length)
{
    struct link_receive receive = { .head = LINK_HEAD(LINK_RECEIVE, receive),
                                    .client = client,
                                    .length = length };
    struct link_received received;

    scene.position += length;
    receive.until = scene.position;
    memcpy(message.bytes, &receive, sizeof(receive));
    message.size = sizeof(receive);
    message.fds[0] = dup(scene.ours);
    message.fd_count = 1;
    receiver_take(scene.receiver, &message, &received);
    link_message_release(&message);
    assert_int_equal(received.head.type, LINK_RECEIVED);
    assert_int_equal(received.head.size, sizeof(received));
    assert_int_equal(received.client, client);
    return received;
}

static void assert_taken(uint64_t client, uint64_t length, uint32_t count)
{
    struct link_received received = take(client, length);

    assert_int_equal(received.failed, 0);
    assert_int_equal(received.count, count);
}

static struct link_source ask(const struct link_supply *supply, int *ret_fd)
{
    struct link_source source;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    memcpy(message.bytes, supply, sizeof(*supply));
    message.size = sizeof(*supply);
    message.fds[0] = ends[0];
    message.fd_count = 1;
    receiver_supply(scene.receiver, &message);
    link_message_release(&message);
    assert_int_equal(link_receive(ends[1], &message), 0);
    link_message_read(&message, &source, sizeof(source));
    *ret_fd = link_message_take_fd(&message, 0);
    link_message_release(&message);
    close(ends[1]);
    assert_int_equal(source.head.type, LINK_SOURCE);
    assert_int_equal(source.source, supply->source);
    return source;
}

/* The next of the client's is a file that holds that text. */
static void assert_supplies(uint64_t client, const char *expected)
{
    const struct link_supply supply = { .head = LINK_HEAD(LINK_SUPPLY, supply),
                                        .client = client,
                                        .kind = LINK_SUPPLY_CLIENT,
                                        .source = 3 };
    char text[64] = "";
    int fd;
    struct link_source source = ask(&supply, &fd);

    assert_int_equal(source.error, 0);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) >= 0);
    assert_string_equal(text, expected);
    close(fd);
}

static void assert_has_none(uint64_t client)
{
    const struct link_supply supply = { .head = LINK_HEAD(LINK_SUPPLY, supply),
                                        .client = client,
                                        .kind = LINK_SUPPLY_CLIENT };
    int fd;
    struct link_source source = ask(&supply, &fd);

    assert_int_equal(fd, -1);
    assert_int_equal(source.error, -EINVAL);
    assert_string_equal(source.text,
                        "\"fd\" is true, but no descriptor came with the line (SCM_RIGHTS), or "
                        "there were none left to receive it");
}

/* Taking. */

static void descriptors_are_kept_in_their_order(void **state)
{
    (void)state;
    send_file("a", 10);
    send_file("b", 10);
    assert_taken(CLIENT, 20, 2);
    send_file("c", 1);
    assert_taken(CLIENT, 1, 1);
    assert_supplies(CLIENT, "a");
    assert_supplies(CLIENT, "b");
    assert_supplies(CLIENT, "c");
    assert_has_none(CLIENT);
}

static void exactly_the_bytes_that_were_named_are_taken(void **state)
{
    char bytes[64];

    (void)state;
    send_file("a", 10);
    send_fds(NULL, 0, 20);
    assert_taken(CLIENT, 15, 1);
    assert_int_equal(recv(scene.ours, bytes, sizeof(bytes), MSG_DONTWAIT), 15);
    assert_supplies(CLIENT, "a");
}

static void many_bytes_are_taken_to_the_last(void **state)
{
    char byte;

    (void)state;
    send_fds(NULL, 0, 8192);
    send_file("a", 8192);
    send_fds(NULL, 0, 5000);
    assert_taken(CLIENT, 8192 + 8192 + 5000, 1);
    assert_int_equal(recv(scene.ours, &byte, 1, MSG_DONTWAIT), -1);
    assert_supplies(CLIENT, "a");
}

static void clients_are_kept_apart(void **state)
{
    (void)state;
    send_file("a", 1);
    assert_taken(CLIENT, 1, 1);
    send_file("b", 1);
    assert_taken(OTHER, 1, 1);
    assert_supplies(OTHER, "b");
    assert_has_none(OTHER);
    assert_supplies(CLIENT, "a");
    assert_has_none(999);
}

static void bytes_that_are_not_there_are_a_failure(void **state)
{
    (void)state;
    send_file("a", 5);
    assert_int_equal(take(CLIENT, 6).failed, 1);
}

static void client_that_is_gone_is_a_failure(void **state)
{
    (void)state;
    shutdown(scene.client, SHUT_WR);
    assert_int_equal(take(CLIENT, 1).failed, 1);
}

static void message_without_a_socket_is_a_failure(void **state)
{
    const struct link_receive receive = { .head = LINK_HEAD(LINK_RECEIVE, receive),
                                          .client = CLIENT,
                                          .length = 1 };
    struct link_received received;

    (void)state;
    memcpy(message.bytes, &receive, sizeof(receive));
    message.size = sizeof(receive);
    message.fd_count = 0;
    receiver_take(scene.receiver, &message, &received);
    assert_int_equal(received.failed, 1);
    assert_int_equal(received.count, 0);
}

/* Whether the pipe's writing end is closed, sooner or later: on another thread. */
static bool gets_closed(int reader)
{
    struct pollfd pollfd = { .fd = reader, .events = POLLIN };

    return poll(&pollfd, 1, 20000) == 1 && pollfd.revents & POLLHUP;
}

static bool is_open(int reader)
{
    struct pollfd pollfd = { .fd = reader, .events = POLLIN };

    return poll(&pollfd, 1, 50) == 0;
}

/* The writing end of a pipe; the client has no more than the socket's copy. */
static int send_pipe(void)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    send_fds(&ends[1], 1, 1);
    close(ends[1]);
    return ends[0];
}

static void more_than_a_line_may_bring_are_closed(void **state)
{
    int readers[LINK_CLIENT_FDS_MAX + 3];

    (void)state;
    for (size_t i = 0; i < LINK_CLIENT_FDS_MAX + 3; i++)
        readers[i] = send_pipe();
    assert_taken(CLIENT, LINK_CLIENT_FDS_MAX + 3, LINK_CLIENT_FDS_MAX + 3);
    for (size_t i = LINK_CLIENT_FDS_MAX; i < LINK_CLIENT_FDS_MAX + 3; i++)
        assert_true(gets_closed(readers[i]));
    assert_true(is_open(readers[LINK_CLIENT_FDS_MAX - 1]));
    forget_all(CLIENT);
    for (size_t i = 0; i < LINK_CLIENT_FDS_MAX; i++)
        assert_true(gets_closed(readers[i]));
    for (size_t i = 0; i < LINK_CLIENT_FDS_MAX + 3; i++)
        close(readers[i]);
}

static void as_many_as_one_message_may_carry_are_received(void **state)
{
    int fds[FDS_MAX], ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t i = 0; i < FDS_MAX; i++)
        fds[i] = ends[1];
    send_fds(fds, FDS_MAX, 1);
    close(ends[1]);
    assert_taken(CLIENT, 1, FDS_MAX);
    forget_all(CLIENT);
    assert_true(gets_closed(ends[0])); /* each of them */
    close(ends[0]);
}

/* Forgetting. */

static void what_belongs_to_lines_before_is_closed_and_what_comes_after_is_kept(void **state)
{
    int first = send_pipe(), second, third;

    (void)state;
    assert_taken(CLIENT, 1, 1);
    second = send_pipe();
    assert_taken(CLIENT, 1, 1);
    third = send_pipe();
    assert_taken(CLIENT, 1, 1);
    forget(CLIENT, 2);
    assert_true(gets_closed(first));
    assert_true(gets_closed(second));
    assert_true(is_open(third));
    forget(OTHER, UINT64_MAX);
    assert_true(is_open(third));
    forget(CLIENT, 2);
    assert_true(is_open(third));
    forget(CLIENT, 3);
    assert_true(gets_closed(third));
    assert_has_none(CLIENT);
    close(first);
    close(second);
    close(third);
}

/* Passing on. */

static void descriptor_that_is_passed_on_is_kept_no_longer(void **state)
{
    const struct link_supply supply = { .head = LINK_HEAD(LINK_SUPPLY, supply),
                                        .client = CLIENT,
                                        .kind = LINK_SUPPLY_CLIENT };
    int reader = send_pipe(), fd;

    (void)state;
    assert_taken(CLIENT, 1, 1);
    ask(&supply, &fd);
    assert_true(is_open(reader));
    close(fd);
    assert_true(gets_closed(reader));
    close(reader);
}

static void worker_that_is_gone_gets_nothing_and_nothing_is_kept(void **state)
{
    const struct link_supply supply = { .head = LINK_HEAD(LINK_SUPPLY, supply),
                                        .client = CLIENT,
                                        .kind = LINK_SUPPLY_CLIENT };
    int reader = send_pipe(), ends[2];

    (void)state;
    assert_taken(CLIENT, 1, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[1]);
    memcpy(message.bytes, &supply, sizeof(supply));
    message.size = sizeof(supply);
    message.fds[0] = ends[0];
    message.fd_count = 1;
    receiver_supply(scene.receiver, &message);
    link_message_release(&message);
    assert_true(gets_closed(reader));
    assert_has_none(CLIENT);
    close(reader);
}

/* Files of the image directory. */

static struct temporary_directory images;

static int make_images(void **state)
{
    int fd;

    set_up(state);
    temporary_directory_init(&images);
    fd = openat(images.fd, "a.bin", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "image", 5), 5);
    close(fd);
    assert_int_equal(mkdirat(images.fd, "below", 0700), 0);
    assert_int_equal(symlinkat("../a.bin", images.fd, "below/inward"), 0);
    assert_int_equal(symlinkat("/etc/passwd", images.fd, "outward"), 0);
    assert_int_equal(symlinkat("..", images.fd, "up"), 0);
    assert_int_equal(mkfifoat(images.fd, "fifo", 0600), 0);
    return 0;
}

static int remove_images(void **state)
{
    temporary_directory_deinit(&images);
    return tear_down(state);
}

static struct link_source open_path(const char *directory, const char *path, int *ret_fd)
{
    struct link_supply supply = { .head = LINK_HEAD(LINK_SUPPLY, supply),
                                  .kind = LINK_SUPPLY_PATH,
                                  .source = 1 };

    memcpy(supply.directory, directory, strlen(directory));
    memcpy(supply.path, path, strlen(path));
    return ask(&supply, ret_fd);
}

static void assert_opens(const char *path)
{
    char text[8] = "";
    int fd;
    struct link_source source = open_path(images.path, path, &fd);

    if (source.error != 0)
        fail_msg("%s: %s", path, source.text);
    assert_int_equal(read(fd, text, sizeof(text)), 5);
    assert_string_equal(text, "image");
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    close(fd);
}

static void assert_not_opened(const char *path, const char *sentence)
{
    int fd;
    struct link_source source = open_path(images.path, path, &fd);

    assert_int_equal(source.error, -ENOEXEC);
    assert_int_equal(fd, -1);
    assert_string_equal(source.text, sentence);
}

static void file_of_the_image_directory_is_opened(void **state)
{
    (void)state;
    assert_opens("a.bin");
    assert_opens("./a.bin");
    assert_opens("below/../a.bin");
    assert_opens("below/inward");
}

static void path_that_leads_outside_is_refused(void **state)
{
    char path[4200];

    (void)state;
    assert_not_opened("../etc/passwd",
                      "cannot open '../etc/passwd' in the image directory: it leads outside of it");
    assert_not_opened("/etc/passwd",
                      "cannot open '/etc/passwd' in the image directory: it leads outside of it");
    assert_not_opened("outward",
                      "cannot open 'outward' in the image directory: it leads outside of it");
    snprintf(path, sizeof(path), "up/%s/a.bin", strrchr(images.path, '/') + 1);
    assert_int_equal(open_path(images.path, path, &(int){ -1 }).error, -ENOEXEC);
}

static void file_that_is_not_there_is_told_with_its_name_escaped(void **state)
{
    (void)state;
    assert_not_opened("b\n.bin",
                      "cannot open 'b\\x0a.bin' in the image directory: No such file or directory");
    assert_not_opened("", "cannot open '' in the image directory: No such file or directory");
}

/* Nobody writes to it, and nobody waits for that. */
static void fifo_is_not_waited_for(void **state)
{
    int fd;

    (void)state;
    assert_int_equal(open_path(images.path, "fifo", &fd).error, 0);
    close(fd);
}

static void directory_that_is_not_there_is_told(void **state)
{
    int fd;
    struct link_source source = open_path("/nonexistent", "a.bin", &fd);

    (void)state;
    assert_int_equal(source.error, -ENOEXEC);
    assert_string_equal(
        source.text, "cannot open the image directory '/nonexistent': No such file or directory");
}

static void path_without_an_end_is_cut(void **state)
{
    static struct link_supply supply = { .kind = LINK_SUPPLY_PATH };
    int fd;

    (void)state;
    supply.head = LINK_HEAD(LINK_SUPPLY, supply);
    memset(supply.path, 'x', sizeof(supply.path));
    snprintf(supply.directory, sizeof(supply.directory), "%s", images.path);
    assert_int_equal(ask(&supply, &fd).error, -ENOEXEC);
    memset(supply.directory, 'x', sizeof(supply.directory));
    assert_int_equal(ask(&supply, &fd).error, -ENOEXEC);
}

int main(void)
{
#define client_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define path_test(f)   cmocka_unit_test_setup_teardown(f, make_images, remove_images)
    const struct CMUnitTest tests[] = {
        client_test(descriptors_are_kept_in_their_order),
        client_test(exactly_the_bytes_that_were_named_are_taken),
        client_test(many_bytes_are_taken_to_the_last),
        client_test(clients_are_kept_apart),
        client_test(bytes_that_are_not_there_are_a_failure),
        client_test(client_that_is_gone_is_a_failure),
        client_test(message_without_a_socket_is_a_failure),
        client_test(more_than_a_line_may_bring_are_closed),
        client_test(as_many_as_one_message_may_carry_are_received),
        client_test(what_belongs_to_lines_before_is_closed_and_what_comes_after_is_kept),
        client_test(descriptor_that_is_passed_on_is_kept_no_longer),
        client_test(worker_that_is_gone_gets_nothing_and_nothing_is_kept),
        path_test(file_of_the_image_directory_is_opened),
        path_test(path_that_leads_outside_is_refused),
        path_test(file_that_is_not_there_is_told_with_its_name_escaped),
        path_test(fifo_is_not_waited_for),
        path_test(directory_that_is_not_there_is_told),
        path_test(path_without_an_end_is_cut),
    };
#undef client_test
#undef path_test

    return cmocka_run_group_tests_name("receiver", tests, make_receiver, NULL);
}

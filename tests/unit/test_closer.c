#include "unit_test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "util/closer.h"

enum { MANY = 600 };

static struct closer *new_closer(void)
{
    struct closer *closer;

    assert_int_equal(closer_new(&closer), 0);
    return closer;
}

/* Both ends of a pipe; the reader sees the end when the other is closed. */
static int give_pipe(struct closer *closer)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    closer_close(closer, ends[1]);
    return ends[0];
}

static bool ends_within(int reader, int timeout_ms)
{
    struct pollfd pollfd = { .fd = reader, .events = POLLIN };

    return poll(&pollfd, 1, timeout_ms) == 1 && pollfd.revents & POLLHUP;
}

/* A socket whose close(2) waits until its peer, *ret_peer, is closed. */
static int make_lingering(int *ret_peer)
{
    const struct linger linger = { .l_onoff = 1, .l_linger = 60 };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static char bytes[65536];

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
    *ret_peer = accept(listener, NULL, NULL);
    close(listener);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    return fd;
}

static void closes_what_it_is_given(void **state)
{
    struct closer *closer = new_closer();
    int readers[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        readers[i] = give_pipe(closer);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(ends_within(readers[i], 10000));
        close(readers[i]);
    }
    closer_close(closer, -1);
    closer_free(closer);
}

static void close_that_waits_holds_up_neither_the_caller_nor_the_next(void **state)
{
    struct closer *closer = new_closer();
    int peers[3], reader;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        closer_close(closer, make_lingering(&peers[i]));
    reader = give_pipe(closer);
    assert_true(ends_within(reader, 10000));
    close(reader);
    closer_free(closer); /* nor this */
    for (size_t i = 0; i < 3; i++)
        close(peers[i]);
}

/* close(2) first takes the number away, then waits. */
static void wait_until_being_closed(int fd)
{
    for (int i = 0; i < 10000 && fcntl(fd, F_GETFD) >= 0; i++)
        poll(NULL, 0, 1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void is_full_while_many_wait_and_goes_on_after(void **state)
{
    struct closer *closer = new_closer();
    int lingering[8], peers[8], readers[MANY];
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < 8; i++)
        lingering[i] = make_lingering(&peers[i]);
    for (size_t i = 0; i < 8; i++)
        closer_close(closer, lingering[i]);
    for (size_t i = 0; i < 8; i++)
        wait_until_being_closed(lingering[i]);
    assert_false(closer_is_full(closer));
    while (count < MANY && !closer_is_full(closer))
        readers[count++] = give_pipe(closer);
    assert_true(closer_is_full(closer));
    assert_false(ends_within(readers[count - 1], 0));

    for (size_t i = 0; i < 8; i++)
        close(peers[i]);
    for (size_t i = 0; i < count; i++) {
        assert_true(ends_within(readers[i], 10000));
        close(readers[i]);
    }
    assert_false(closer_is_full(closer));
    closer_free(closer);
}

static void freeing_nothing_is_harmless(void **state)
{
    (void)state;
    closer_free(NULL);
    closer_free(new_closer());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closes_what_it_is_given),
        cmocka_unit_test(close_that_waits_holds_up_neither_the_caller_nor_the_next),
        cmocka_unit_test(is_full_while_many_wait_and_goes_on_after),
        cmocka_unit_test(freeing_nothing_is_harmless),
    };

    return cmocka_run_group_tests_name("closer", tests, NULL, NULL);
}

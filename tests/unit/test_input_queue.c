#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/input_queue.h"

enum { CAPACITY = INPUT_QUEUE_CAPACITY };

/* The stream that all tests send: each byte follows from its position. */
static unsigned char byte_at(size_t position)
{
    return (unsigned char)((position * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

/* Puts bytes [from, from + size) of the stream; how many were taken. */
static size_t put(struct input_queue *queue, size_t from, size_t size)
{
    static unsigned char bytes[2 * CAPACITY];

    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(from + i);
    return input_queue_put(queue, bytes, size);
}

/* Takes up to size bytes, which must be those of the stream from `from` on; how many there were. */
static size_t take(struct input_queue *queue, size_t from, size_t size)
{
    static unsigned char bytes[2 * CAPACITY];
    size_t n = input_queue_take(queue, bytes, size);

    for (size_t i = 0; i < n; i++)
        assert_int_equal(bytes[i], byte_at(from + i));
    return n;
}

static struct input_queue *new_queue(void)
{
    struct input_queue *queue;
    int fd;

    assert_int_equal(input_queue_new(&queue, &fd), 0);
    close(fd);
    return queue;
}

static void new_queue_is_empty_and_open(void **state)
{
    struct input_queue *queue = new_queue();

    (void)state;
    assert_int_equal(input_queue_length(queue), 0);
    assert_false(input_queue_is_closed(queue));
    assert_false(input_queue_is_at_end(queue));
    assert_int_equal(take(queue, 0, 1), 0);
    input_queue_free(queue);
}

static void bytes_come_out_in_their_order(void **state)
{
    struct input_queue *queue = new_queue();

    (void)state;
    assert_int_equal(put(queue, 0, 10), 10);
    assert_int_equal(put(queue, 10, 5), 5);
    assert_int_equal(input_queue_length(queue), 15);
    assert_int_equal(take(queue, 0, 1), 1);
    assert_int_equal(take(queue, 1, 100), 14);
    assert_int_equal(input_queue_length(queue), 0);
    input_queue_free(queue);
}

static void full_queue_takes_no_more_and_keeps_what_it_has(void **state)
{
    struct input_queue *queue = new_queue();

    (void)state;
    assert_int_equal(put(queue, 0, CAPACITY + 1), CAPACITY);
    assert_int_equal(put(queue, CAPACITY, 1), 0);
    assert_int_equal(input_queue_length(queue), CAPACITY);
    assert_int_equal(take(queue, 0, 3), 3);
    assert_int_equal(put(queue, CAPACITY, 10), 3);
    assert_int_equal(take(queue, 3, 2 * CAPACITY), CAPACITY);
    input_queue_free(queue);
}

static void bytes_that_wrap_come_out_whole(void **state)
{
    struct input_queue *queue = new_queue();
    size_t position = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(put(queue, position, 10007), 10007);
        assert_int_equal(take(queue, position, CAPACITY), 10007);
        position += 10007;
    }
    input_queue_free(queue);
}

static void nothing_can_be_put_and_taken(void **state)
{
    struct input_queue *queue = new_queue();

    (void)state;
    assert_int_equal(put(queue, 0, 0), 0);
    assert_int_equal(put(queue, 0, CAPACITY), CAPACITY);
    assert_int_equal(put(queue, CAPACITY, 0), 0);
    assert_int_equal(take(queue, 0, 0), 0);
    assert_int_equal(input_queue_length(queue), CAPACITY);
    input_queue_free(queue);
}

static void closed_queue_is_at_its_end_once_it_was_read(void **state)
{
    struct input_queue *queue = new_queue();

    (void)state;
    put(queue, 0, 2);
    input_queue_close(queue);
    assert_true(input_queue_is_closed(queue));
    assert_false(input_queue_is_at_end(queue));
    assert_int_equal(take(queue, 0, 1), 1);
    assert_false(input_queue_is_at_end(queue));
    assert_int_equal(take(queue, 1, 1), 1);
    assert_true(input_queue_is_at_end(queue));
    input_queue_free(queue);
}

static void queue_closed_while_empty_is_at_its_end(void **state)
{
    struct input_queue *queue = new_queue();

    (void)state;
    input_queue_close(queue);
    assert_true(input_queue_is_at_end(queue));
    input_queue_free(queue);
}

/* Between processes. */

/* A queue as both have it, and its memory as one has it who keeps to no rules. */
struct shared_queue {
    struct input_queue *daemon, *worker;
    _Atomic uint64_t *counters; /* put, taken */
    unsigned char *memory;
    int fd;
};

enum { MEMORY_SIZE = 64 + CAPACITY };

static struct shared_queue new_shared(void)
{
    struct shared_queue shared;
    void *map;

    assert_int_equal(input_queue_new(&shared.daemon, &shared.fd), 0);
    assert_int_equal(input_queue_map(shared.fd, &shared.worker), 0);
    map = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, shared.fd, 0);
    assert_true(map != MAP_FAILED);
    shared.memory = map;
    shared.counters = map;
    return shared;
}

static void free_shared(const struct shared_queue *shared)
{
    input_queue_free(shared->daemon);
    input_queue_free(shared->worker);
    munmap(shared->memory, MEMORY_SIZE);
    close(shared->fd);
}

static void what_one_side_puts_the_other_takes(void **state)
{
    struct shared_queue shared = new_shared();

    (void)state;
    assert_int_equal(put(shared.daemon, 0, 1000), 1000);
    assert_int_equal(input_queue_length(shared.worker), 1000);
    assert_int_equal(take(shared.worker, 0, 2000), 1000);
    assert_int_equal(input_queue_length(shared.daemon), 0);
    input_queue_close(shared.daemon);
    assert_true(input_queue_is_at_end(shared.worker));
    free_shared(&shared);
}

/* People type passwords. */
static void bytes_are_zeroed_as_they_are_taken(void **state)
{
    struct shared_queue shared = new_shared();

    (void)state;
    for (size_t round = 0, position = 0; round < 3; round++, position += 40000) {
        size_t left = 0;

        put(shared.daemon, position, 40000);
        take(shared.worker, position, 39999);
        for (size_t i = 64; i < MEMORY_SIZE; i++)
            left += shared.memory[i] != 0;
        assert_in_range(left, 0, 1);
        take(shared.worker, position + 39999, 1);
    }
    for (size_t i = 64; i < MEMORY_SIZE; i++)
        assert_int_equal(shared.memory[i], 0);
    free_shared(&shared);
}

static void counters_that_make_no_sense_do_no_harm(void **state)
{
    static const uint64_t values[] = {
        0,          1, 77, CAPACITY - 1, CAPACITY, CAPACITY + 1, UINT64_C(1) << 63, UINT64_MAX - 1,
        UINT64_MAX,
    };
    enum { COUNT = sizeof(values) / sizeof(values[0]) };
    static unsigned char bytes[2 * CAPACITY];
    struct shared_queue shared = new_shared();

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        for (size_t n = 0; n < COUNT; n++) {
            shared.counters[0] = values[i];
            shared.counters[1] = values[n];
            assert_in_range(input_queue_length(shared.daemon), 0, CAPACITY);
            assert_in_range(input_queue_put(shared.daemon, bytes, sizeof(bytes)), 0, CAPACITY);
            shared.counters[0] = values[i];
            shared.counters[1] = values[n];
            assert_in_range(input_queue_take(shared.worker, bytes, sizeof(bytes)), 0, CAPACITY);
        }
    free_shared(&shared);
}

static void memory_that_is_no_queue_is_refused(void **state)
{
    static const struct {
        off_t size;
        int seals;
    } rows[] = {
        { MEMORY_SIZE, 0 },
        { MEMORY_SIZE, F_SEAL_GROW },
        { MEMORY_SIZE - 1, F_SEAL_SHRINK },
        { 0, F_SEAL_SHRINK },
    };
    struct input_queue *queue = NULL;
    int ends[2];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_int_equal(ftruncate(fd, rows[i].size), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, rows[i].seals), 0);
        assert_int_equal(input_queue_map(fd, &queue), -EBADMSG);
        close(fd);
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(input_queue_map(ends[0], &queue), -EBADMSG);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(input_queue_map(-1, &queue), -EBADMSG);
    assert_null(queue);
}

static void nobody_can_cut_a_queue_short(void **state)
{
    struct shared_queue shared = new_shared();

    (void)state;
    assert_int_equal(ftruncate(shared.fd, 0), -1);
    assert_int_equal(errno, EPERM);
    free_shared(&shared);
}

/* One that takes the place of another. */

static void queue_that_awaits_a_move_has_no_room(void **state)
{
    struct input_queue *queue = new_queue();

    (void)state;
    assert_true(input_queue_is_ready(queue));
    input_queue_await_move(queue);
    assert_false(input_queue_is_ready(queue));
    assert_int_equal(put(queue, 0, 10), 0);
    assert_int_equal(input_queue_length(queue), 0);
    input_queue_move(NULL, queue);
    assert_true(input_queue_is_ready(queue));
    assert_int_equal(put(queue, 0, 10), 10);
    input_queue_free(queue);
}

static void what_waits_is_moved_and_what_comes_is_behind_it(void **state)
{
    static const size_t amounts[] = { 0, 1, 5000, CAPACITY };

    (void)state;
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
        struct input_queue *from = new_queue(), *to = new_queue();
        size_t n = amounts[i];

        put(from, 0, 40000);
        take(from, 0, 40000);
        put(from, 40000, n);
        input_queue_await_move(to);
        input_queue_move(from, to);
        assert_int_equal(input_queue_length(from), 0);
        assert_int_equal(input_queue_length(to), n);
        assert_int_equal(put(to, 40000 + n, 100), n == CAPACITY ? 0 : 100);
        assert_int_equal(take(to, 40000, n), n);
        assert_false(input_queue_is_closed(to));
        input_queue_free(from);
        input_queue_free(to);
    }
}

static void end_of_input_is_moved_too(void **state)
{
    struct input_queue *from = new_queue(), *to = new_queue();

    (void)state;
    put(from, 0, 3);
    input_queue_close(from);
    input_queue_await_move(to);
    input_queue_move(from, to);
    assert_true(input_queue_is_closed(to));
    assert_false(input_queue_is_at_end(to));
    take(to, 0, 3);
    assert_true(input_queue_is_at_end(to));
    input_queue_free(from);
    input_queue_free(to);
}

static void null_may_be_freed(void **state)
{
    (void)state;
    input_queue_free(NULL);
}

enum { SENT = 3000001 }; /* bytes, many times round, and no multiple of anything */

static void *send_all(void *argument)
{
    struct input_queue *queue = argument;
    unsigned char bytes[777];
    size_t sent = 0;

    while (sent < SENT) {
        size_t size = SENT - sent < sizeof(bytes) ? SENT - sent : sizeof(bytes);
        size_t n;

        for (size_t i = 0; i < size; i++)
            bytes[i] = byte_at(sent + i);
        n = input_queue_put(queue, bytes, size);
        if (n == 0)
            sched_yield();
        sent += n;
    }
    input_queue_close(queue);
    return NULL;
}

static void what_one_thread_puts_another_takes_whole_and_in_order(void **state)
{
    struct input_queue *queue = new_queue();
    unsigned char bytes[1000];
    size_t received = 0, wrong = 0;
    pthread_t sender;

    (void)state;
    assert_int_equal(pthread_create(&sender, NULL, send_all, queue), 0);
    /* as a guest does: the end is looked for where there was nothing */
    while (true) {
        size_t n = input_queue_take(queue, bytes, 1 + received % sizeof(bytes));

        for (size_t i = 0; i < n; i++)
            wrong += bytes[i] != byte_at(received + i);
        received += n;
        if (n == 0 && input_queue_is_at_end(queue))
            break;
        if (n == 0)
            sched_yield();
    }
    assert_int_equal(pthread_join(sender, NULL), 0);
    assert_int_equal(received, SENT);
    assert_int_equal(wrong, 0);
    input_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_queue_is_empty_and_open),
        cmocka_unit_test(bytes_come_out_in_their_order),
        cmocka_unit_test(full_queue_takes_no_more_and_keeps_what_it_has),
        cmocka_unit_test(bytes_that_wrap_come_out_whole),
        cmocka_unit_test(nothing_can_be_put_and_taken),
        cmocka_unit_test(closed_queue_is_at_its_end_once_it_was_read),
        cmocka_unit_test(queue_closed_while_empty_is_at_its_end),
        cmocka_unit_test(what_one_side_puts_the_other_takes),
        cmocka_unit_test(bytes_are_zeroed_as_they_are_taken),
        cmocka_unit_test(counters_that_make_no_sense_do_no_harm),
        cmocka_unit_test(memory_that_is_no_queue_is_refused),
        cmocka_unit_test(nobody_can_cut_a_queue_short),
        cmocka_unit_test(queue_that_awaits_a_move_has_no_room),
        cmocka_unit_test(what_waits_is_moved_and_what_comes_is_behind_it),
        cmocka_unit_test(end_of_input_is_moved_too),
        cmocka_unit_test(null_may_be_freed),
        cmocka_unit_test(what_one_thread_puts_another_takes_whole_and_in_order),
    };

    return cmocka_run_group_tests_name("input_queue", tests, NULL, NULL);
}

#include "unit_test.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
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
        cmocka_unit_test(null_may_be_freed),
        cmocka_unit_test(what_one_thread_puts_another_takes_whole_and_in_order),
    };

    return cmocka_run_group_tests_name("input_queue", tests, NULL, NULL);
}

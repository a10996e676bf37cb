#include "unit_test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/line_buffer.h"

enum { LIMIT = 8, EVENTS_MAX = 64 };

/* What came out of a buffer, texts copied. */
struct event {
    struct line line;
    char text[LIMIT];
};

struct events {
    struct event list[EVENTS_MAX];
    size_t count;
};

static void record(struct events *events, struct line line)
{
    struct event *event = &events->list[events->count++];

    assert_true(events->count <= EVENTS_MAX);
    event->line = line;
    if (line.kind == LINE_WHOLE) {
        assert_true(line.length <= LIMIT);
        memcpy(event->text, line.text, line.length);
    }
}

static void put(struct line_buffer *buffer, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t room_size, n;
        char *room = line_buffer_room(buffer, &room_size);

        assert_non_null(room);
        assert_true(room_size >= 1);
        n = size < room_size ? size : room_size;
        memcpy(room, bytes, n);
        line_buffer_added(buffer, n);
        bytes += n;
        size -= n;
    }
}

/* Puts all of it in at once and takes out what there is. */
static void feed(struct line_buffer *buffer, const char *bytes, size_t size, struct events *events)
{
    struct line line;

    put(buffer, bytes, size);
    while ((line = line_buffer_next(buffer)).kind != LINE_NONE)
        record(events, line);
}

static void feed_text(struct line_buffer *buffer, const char *text, struct events *events)
{
    feed(buffer, text, strlen(text), events);
}

static void assert_whole(const struct events *events, size_t index, const char *text,
                         uint64_t offset)
{
    const struct event *event = &events->list[index];

    assert_true(index < events->count);
    assert_int_equal(event->line.kind, LINE_WHOLE);
    assert_int_equal(event->line.length, strlen(text));
    assert_memory_equal(event->text, text, strlen(text));
    assert_int_equal(event->line.offset, offset);
    assert_int_equal(event->line.end_offset, offset + strlen(text) + 1);
}

static void assert_too_long(const struct events *events, size_t index, uint64_t offset)
{
    assert_true(index < events->count);
    assert_int_equal(events->list[index].line.kind, LINE_TOO_LONG);
    assert_int_equal(events->list[index].line.offset, offset);
}

static void new_buffer_has_no_line_and_no_memory(void **state)
{
    struct line_buffer buffer;

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    assert_int_equal(line_buffer_next(&buffer).kind, LINE_NONE);
    assert_int_equal(line_buffer_last(&buffer).kind, LINE_NONE);
    assert_null(buffer.bytes);
    line_buffer_deinit(&buffer);
}

static void whole_line_comes_out_without_its_lf(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "one\n", &events);
    assert_int_equal(events.count, 1);
    assert_whole(&events, 0, "one", 0);
    line_buffer_deinit(&buffer);
}

static void lines_that_came_together_come_out_one_by_one(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "a\nbc\n\ndef\n", &events);
    assert_int_equal(events.count, 4);
    assert_whole(&events, 0, "a", 0);
    assert_whole(&events, 1, "bc", 2);
    assert_whole(&events, 2, "", 5);
    assert_whole(&events, 3, "def", 6);
    line_buffer_deinit(&buffer);
}

static void only_lf_ends_a_line(void **state)
{
    static const char bytes[] = "a\rb\0c\r\n";
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed(&buffer, bytes, sizeof(bytes) - 1, &events);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.list[0].line.length, 6);
    assert_memory_equal(events.list[0].text, bytes, 6);
    line_buffer_deinit(&buffer);
}

static void unfinished_line_waits_for_its_lf(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "one\ntw", &events);
    assert_int_equal(events.count, 1);
    feed_text(&buffer, "o", &events);
    assert_int_equal(events.count, 1);
    feed_text(&buffer, "\n", &events);
    assert_int_equal(events.count, 2);
    assert_whole(&events, 1, "two", 4);
    line_buffer_deinit(&buffer);
}

static void line_of_exactly_the_limit_is_whole(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "12345678\n", &events);
    feed_text(&buffer, "12345678", &events);
    assert_int_equal(events.count, 1);
    feed_text(&buffer, "\n", &events);
    assert_int_equal(events.count, 2);
    assert_whole(&events, 0, "12345678", 0);
    assert_whole(&events, 1, "12345678", 9);
    line_buffer_deinit(&buffer);
}

static void line_one_over_the_limit_is_too_long(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "123456789\n", &events);
    assert_int_equal(events.count, 1);
    assert_too_long(&events, 0, 0);
    line_buffer_deinit(&buffer);
}

static void too_long_is_told_before_the_line_ends(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "12345678", &events);
    assert_int_equal(events.count, 0);
    feed_text(&buffer, "9", &events);
    assert_int_equal(events.count, 1);
    assert_too_long(&events, 0, 0);
    line_buffer_deinit(&buffer);
}

static void too_long_is_told_once_however_much_follows(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    for (int i = 0; i < 100; i++)
        feed_text(&buffer, "0123456789", &events);
    assert_int_equal(events.count, 1);
    line_buffer_deinit(&buffer);
}

static void good_line_after_a_too_long_one_is_whole(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "0123456789", &events);
    feed_text(&buffer, "more\ngood\n", &events);
    feed_text(&buffer, "0123456789\ngood\n", &events);
    assert_int_equal(events.count, 4);
    assert_too_long(&events, 0, 0);
    assert_whole(&events, 1, "good", 15);
    assert_too_long(&events, 2, 20);
    assert_whole(&events, 3, "good", 31);
    line_buffer_deinit(&buffer);
}

static void too_long_lines_in_a_row_are_told_one_by_one(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "0123456789\n0123456789\n0123456789", &events);
    assert_int_equal(events.count, 3);
    assert_too_long(&events, 0, 0);
    assert_too_long(&events, 1, 11);
    assert_too_long(&events, 2, 22);
    line_buffer_deinit(&buffer);
}

static void lf_that_ends_a_skipped_line_is_no_empty_line(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "0123456789", &events);
    feed_text(&buffer, "\n", &events);
    assert_int_equal(events.count, 1);
    feed_text(&buffer, "\n", &events);
    assert_int_equal(events.count, 2);
    assert_whole(&events, 1, "", 11);
    line_buffer_deinit(&buffer);
}

static void last_line_needs_no_lf(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };
    struct line line;

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "one\ntwo", &events);
    line = line_buffer_last(&buffer);
    assert_int_equal(line.kind, LINE_WHOLE);
    assert_int_equal(line.length, 3);
    assert_memory_equal(line.text, "two", 3);
    assert_int_equal(line.offset, 4);
    assert_int_equal(line.end_offset, 7);
    assert_int_equal(line_buffer_last(&buffer).kind, LINE_NONE);
    line_buffer_deinit(&buffer);
}

static void stream_that_ends_with_lf_has_no_last_line(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "one\n", &events);
    assert_int_equal(line_buffer_last(&buffer).kind, LINE_NONE);
    line_buffer_deinit(&buffer);
}

static void stream_that_ends_in_a_too_long_line_has_no_last_line(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "0123456789", &events);
    feed_text(&buffer, "tail", &events);
    assert_int_equal(line_buffer_last(&buffer).kind, LINE_NONE);
    line_buffer_deinit(&buffer);
}

/* Empty, short, at the limit, over it, over it by far, and a last one that has no LF. */
static const char mixed_stream[] = "\na\n1234567\n12345678\n123456789\n\n{\"a\":1}\n"
                                   "0123456789012345678901234567890\nok\n12345678";

static void assert_mixed_stream(struct line_buffer *buffer, struct events *events)
{
    record(events, line_buffer_last(buffer));
    assert_int_equal(events->count, 10);
    assert_whole(events, 0, "", 0);
    assert_whole(events, 1, "a", 1);
    assert_whole(events, 2, "1234567", 3);
    assert_whole(events, 3, "12345678", 11);
    assert_too_long(events, 4, 20);
    assert_whole(events, 5, "", 30);
    assert_whole(events, 6, "{\"a\":1}", 31);
    assert_too_long(events, 7, 39);
    assert_whole(events, 8, "ok", 71);
    assert_int_equal(events->list[9].line.kind, LINE_WHOLE);
    assert_int_equal(events->list[9].line.length, 8);
    assert_int_equal(events->list[9].line.offset, 74);
    assert_int_equal(events->list[9].line.end_offset, 82);
}

static void stream_split_at_any_two_places_gives_the_same_lines(void **state)
{
    const size_t size = sizeof(mixed_stream) - 1;

    (void)state;
    for (size_t first = 0; first <= size; first++) {
        for (size_t second = first; second <= size; second++) {
            struct line_buffer buffer;
            struct events events = { 0 };

            line_buffer_init(&buffer, LIMIT);
            feed(&buffer, mixed_stream, first, &events);
            feed(&buffer, mixed_stream + first, second - first, &events);
            feed(&buffer, mixed_stream + second, size - second, &events);
            assert_mixed_stream(&buffer, &events);
            line_buffer_deinit(&buffer);
        }
    }
}

static void stream_in_pieces_of_any_size_gives_the_same_lines(void **state)
{
    const size_t size = sizeof(mixed_stream) - 1;

    (void)state;
    for (size_t piece = 1; piece <= size; piece++) {
        struct line_buffer buffer;
        struct events events = { 0 };

        line_buffer_init(&buffer, LIMIT);
        for (size_t at = 0; at < size; at += piece)
            feed(&buffer, mixed_stream + at, piece < size - at ? piece : size - at, &events);
        assert_mixed_stream(&buffer, &events);
        line_buffer_deinit(&buffer);
    }
}

static void lines_longer_than_the_first_room_come_out_whole(void **state)
{
    const size_t length = 100000;
    struct line_buffer buffer;
    char *text = malloc(length + 1);
    struct line line;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + i % 26);
    text[length] = '\n';

    line_buffer_init(&buffer, length);
    put(&buffer, "x\n", 2);
    put(&buffer, text, length + 1);
    line = line_buffer_next(&buffer);
    assert_int_equal(line.length, 1);
    line = line_buffer_next(&buffer);
    assert_int_equal(line.kind, LINE_WHOLE);
    assert_int_equal(line.length, length);
    assert_memory_equal(line.text, text, length);
    assert_int_equal(line.offset, 2);
    assert_int_equal(line_buffer_next(&buffer).kind, LINE_NONE);
    line_buffer_deinit(&buffer);
    free(text);
}

static void memory_stays_below_twice_the_limit(void **state)
{
    const size_t limit = 64 * 1024;
    struct line_buffer buffer;
    int too_long = 0;

    (void)state;
    line_buffer_init(&buffer, limit);
    for (int i = 0; i < 1000; i++) {
        size_t size;
        char *room = line_buffer_room(&buffer, &size);
        struct line line;

        assert_non_null(room);
        memset(room, 'x', size);
        line_buffer_added(&buffer, size);
        while ((line = line_buffer_next(&buffer)).kind != LINE_NONE)
            too_long += line.kind == LINE_TOO_LONG;
        assert_true(buffer.capacity <= 2 * limit);
    }
    assert_int_equal(too_long, 1);
    line_buffer_deinit(&buffer);
}

static void buffer_with_nothing_left_holds_no_memory(void **state)
{
    struct line_buffer buffer;
    struct events events = { 0 };

    (void)state;
    line_buffer_init(&buffer, LIMIT);
    feed_text(&buffer, "one\n", &events);
    assert_null(buffer.bytes);
    feed_text(&buffer, "two", &events);
    assert_non_null(buffer.bytes);
    feed_text(&buffer, "\n", &events);
    assert_null(buffer.bytes);
    feed_text(&buffer, "0123456789", &events); /* nor while it skips */
    assert_null(buffer.bytes);
    line_buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_buffer_has_no_line_and_no_memory),
        cmocka_unit_test(whole_line_comes_out_without_its_lf),
        cmocka_unit_test(lines_that_came_together_come_out_one_by_one),
        cmocka_unit_test(only_lf_ends_a_line),
        cmocka_unit_test(unfinished_line_waits_for_its_lf),
        cmocka_unit_test(line_of_exactly_the_limit_is_whole),
        cmocka_unit_test(line_one_over_the_limit_is_too_long),
        cmocka_unit_test(too_long_is_told_before_the_line_ends),
        cmocka_unit_test(too_long_is_told_once_however_much_follows),
        cmocka_unit_test(good_line_after_a_too_long_one_is_whole),
        cmocka_unit_test(too_long_lines_in_a_row_are_told_one_by_one),
        cmocka_unit_test(lf_that_ends_a_skipped_line_is_no_empty_line),
        cmocka_unit_test(last_line_needs_no_lf),
        cmocka_unit_test(stream_that_ends_with_lf_has_no_last_line),
        cmocka_unit_test(stream_that_ends_in_a_too_long_line_has_no_last_line),
        cmocka_unit_test(stream_split_at_any_two_places_gives_the_same_lines),
        cmocka_unit_test(stream_in_pieces_of_any_size_gives_the_same_lines),
        cmocka_unit_test(lines_longer_than_the_first_room_come_out_whole),
        cmocka_unit_test(memory_stays_below_twice_the_limit),
        cmocka_unit_test(buffer_with_nothing_left_holds_no_memory),
    };

    return cmocka_run_group_tests_name("line_buffer", tests, NULL, NULL);
}

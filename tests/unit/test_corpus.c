/*
 * Every file of tests/corpus is a test of its own: a line as it came over the wire, LF included.
 */
#include "unit_test.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/json_writer.h"
#include "protocol/limits.h"
#include "protocol/line_buffer.h"
#include "protocol/message.h"

/* The one line that the file holds; it belongs to the buffer. */
static struct line read_line(const char *path, struct line_buffer *buffer)
{
    FILE *file = fopen(path, "rb");
    size_t size, room_size;
    struct line line;

    if (!file)
        fail_msg("cannot open '%s'", path);
    line_buffer_init(buffer, PROTOCOL_LINE_MAX);
    do {
        char *room = line_buffer_room(buffer, &room_size);

        assert_non_null(room);
        size = fread(room, 1, room_size, file);
        line_buffer_added(buffer, size);
    } while (size > 0);
    assert_false(ferror(file));
    fclose(file);

    line = line_buffer_next(buffer);
    assert_int_equal(line.kind, LINE_WHOLE);
    assert_int_equal(buffer->start, buffer->end);
    return line;
}

static void accepts(void **state)
{
    struct json_text_fault fault = { 0 };
    struct json_object *value, *again;
    struct line_buffer buffer;
    struct line line = read_line(*state, &buffer);
    size_t length;
    char *text;

    if (message_parse(line.text, line.length, &value, &fault) != 0)
        fail_msg("refused at byte %zu: %s", fault.offset, fault.what);
    text = json_write(value, &length);
    assert_non_null(text);
    assert_int_equal(message_parse(text, length, &again, &fault), 0);
    assert_true(json_object_equal(value, again));
    free(text);
    json_object_put(value);
    json_object_put(again);
    line_buffer_deinit(&buffer);
}

static void refuses(void **state)
{
    struct json_text_fault fault = { 0 };
    struct json_object *value;
    struct line_buffer buffer;
    struct line line = read_line(*state, &buffer);

    assert_int_equal(message_parse(line.text, line.length, &value, &fault), -EINVAL);
    assert_non_null(fault.what);
    assert_in_range(fault.offset, 0, line.length);
    line_buffer_deinit(&buffer);
}

enum { SAMPLES_MAX = 1024 };

/* The tests of one program must be one group: TAP has one plan. */
struct suite {
    struct CMUnitTest tests[SAMPLES_MAX];
    size_t count;
};

static int is_sample(const struct dirent *entry)
{
    const char *ending = strrchr(entry->d_name, '.');

    return ending && strcmp(ending, ".json") == 0;
}

/* A test for every sample of the folder, named as the sample. 0, or -1: there are none, or too
 * many. */
static int add_samples(struct suite *suite, const char *corpus, const char *folder,
                       CMUnitTestFunction function)
{
    char path[PATH_MAX];
    struct dirent **entries;
    int count;

    snprintf(path, sizeof(path), "%s/%s", corpus, folder);
    count = scandir(path, &entries, is_sample, alphasort);
    if (count <= 0 || suite->count + (size_t)count > SAMPLES_MAX) {
        fprintf(stderr, "'%s': %d samples, not 1 to %d\n", path, count, SAMPLES_MAX);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        char *file;

        if (asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
            abort();
        suite->tests[suite->count++] = (struct CMUnitTest){
            .name = file + strlen(corpus) + 1,
            .test_func = function,
            .initial_state = file,
        };
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int main(int argc, char **argv)
{
    struct suite suite = { .count = 0 };
    int failed;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    if (add_samples(&suite, argv[1], "accept", accepts) < 0 ||
        add_samples(&suite, argv[1], "reject", refuses) < 0)
        return 1;
    /* what cmocka_run_group_tests() expands to, for an array whose length is not constant */
    failed = _cmocka_run_group_tests("corpus", suite.tests, suite.count, NULL, NULL);
    for (size_t i = 0; i < suite.count; i++)
        free(suite.tests[i].initial_state);
    return failed;
}

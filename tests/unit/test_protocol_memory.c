/*
 * What protocol/ reads and builds where memory runs out: all of it, or nothing, and nothing is
 * kept.
 */
#include "unit_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "failing_memory.h"
#include "protocol/json_writer.h"
#include "protocol/message.h"

enum { ALLOCATIONS_MAX = 1000 };

static const char request_text[] =
    "{\"jsonrpc\":\"2.0\",\"method\":\"vm.start\",\"id\":18446744073709551615,\"params\":{"
    "\"image\":{\"data\":"
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"},"
    "\"name\":\"x\\u00e9\",\"1\":1,\"2\":2.50,\"3\":-3,\"4\":true,\"5\":null,\"6\":[[],[{}]],"
    "\"7\":7,\"8\":8,\"9\":9,\"10\":10,\"11\":11,\"12\":12,\"13\":13,\"14\":14}}";

/* What is tried: 0 and the text of what came of it, for the caller to free, or -ENOMEM. */
typedef int (*attempt_fn)(char **ret);

static int read_and_write(char **ret)
{
    struct json_text_fault fault;
    struct json_object *value;
    size_t length;
    int r = message_parse(request_text, strlen(request_text), &value, &fault);

    if (r < 0)
        return r;
    *ret = json_write(value, &length);
    json_object_put(value);
    return *ret ? 0 : -ENOMEM;
}

/* Takes message. */
static int write_line(struct json_object *message, char **ret)
{
    size_t length;
    char *line = message_line(message, &length);

    json_object_put(message);
    if (!line)
        return -ENOMEM;
    line[length - 1] = '\0';
    *ret = line;
    return 0;
}

static int build_notification(char **ret)
{
    return write_line(message_new_notification("vm.state", NULL), ret);
}

static int build_request(char **ret)
{
    return write_line(message_new_request(NULL, "vm.list", NULL), ret);
}

static int build_result(char **ret)
{
    return write_line(message_new_result(NULL, NULL), ret);
}

static int build_error(char **ret)
{
    return write_line(message_new_error(NULL, RPC_PARSE_ERROR, "no \"JSON\"", NULL), ret);
}

static void assert_all_or_nothing(attempt_fn attempt, enum failing_memory kind)
{
    char *expected, *text;
    unsigned n = 0;
    bool failed;
    long held;

    assert_int_equal(attempt(&expected), 0);
    held = failing_memory_held();
    do {
        int r;

        failing_memory_start(n, kind);
        r = attempt(&text);
        failed = failing_memory_stop();
        if (r == 0) {
            assert_string_equal(text, expected);
            free(text);
        } else {
            assert_int_equal(r, -ENOMEM);
            assert_true(failed);
        }
        assert_int_equal(failing_memory_held(), held);
    } while (failed && ++n < ALLOCATIONS_MAX);
    assert_in_range(n, 2, ALLOCATIONS_MAX - 1);
    free(expected);
}

static void assert_safe(attempt_fn attempt)
{
    assert_all_or_nothing(attempt, FAILING_ONCE);
    assert_all_or_nothing(attempt, FAILING_FROM_THEN);
}

static void request_is_read_and_written_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_safe(read_and_write);
}

static void notification_is_built_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_safe(build_notification);
}

static void request_is_built_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_safe(build_request);
}

static void result_is_built_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_safe(build_result);
}

static void error_is_built_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_safe(build_error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_read_and_written_whole_or_not_at_all),
        cmocka_unit_test(notification_is_built_whole_or_not_at_all),
        cmocka_unit_test(request_is_built_whole_or_not_at_all),
        cmocka_unit_test(result_is_built_whole_or_not_at_all),
        cmocka_unit_test(error_is_built_whole_or_not_at_all),
    };

    return cmocka_run_group_tests_name("protocol_memory", tests, NULL, NULL);
}

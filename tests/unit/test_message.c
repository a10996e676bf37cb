#include "unit_test.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "protocol/limits.h"
#include "protocol/message.h"

static struct json_object *parse(const char *text)
{
    struct json_text_fault fault = { 0 };
    struct json_object *value = NULL;

    if (message_parse(text, strlen(text), &value, &fault) != 0)
        fail_msg("'%s' was refused at byte %zu: %s", text, fault.offset, fault.what);
    return value;
}

static void assert_parsed(const char *text, enum json_type type, const char *expected)
{
    struct json_object *value = parse(text);

    assert_int_equal(json_object_get_type(value), type);
    assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), expected);
    json_object_put(value);
}

/* text is JSON, but no request, for that reason; what can be read of its id is expected_id. */
static void assert_no_request(const char *text, const char *expected_why, bool has_id,
                              const char *expected_id)
{
    struct json_object *value = parse(text);
    struct message_request request;
    const char *why;

    assert_int_equal(message_read_request(value, &request, &why), -EINVAL);
    assert_string_equal(why, expected_why);
    assert_int_equal(request.has_id, has_id);
    assert_string_equal(json_object_to_json_string(request.id), expected_id);
    json_object_put(value);
}

/* text is a request with that id, as JSON; NULL: a notification. */
static void assert_request(const char *text, const char *method, const char *params, const char *id)
{
    struct json_object *value = parse(text);
    struct message_request request;
    const char *why;

    if (message_read_request(value, &request, &why) != 0)
        fail_msg("'%s' was refused: %s", text, why);
    assert_null(why);
    assert_string_equal(request.method, method);
    assert_int_equal(request.has_id, id != NULL);
    if (id)
        assert_string_equal(json_object_to_json_string_ext(request.id, JSON_C_TO_STRING_PLAIN), id);
    if (params)
        assert_string_equal(json_object_to_json_string_ext(request.params, JSON_C_TO_STRING_PLAIN),
                            params);
    else
        assert_null(request.params);
    json_object_put(value);
}

static void assert_text(struct json_object *message, const char *expected)
{
    size_t length;
    char *line = message_line(message, &length);

    assert_non_null(line);
    assert_int_equal(length, strlen(expected) + 1);
    assert_memory_equal(line, expected, length - 1);
    assert_int_equal(line[length - 1], '\n');
    free(line);
    json_object_put(message);
}

static void parses_every_kind_of_value(void **state)
{
    (void)state;
    assert_parsed("{\"a\":[1]}", json_type_object, "{\"a\":[1]}");
    assert_parsed("[]", json_type_array, "[]");
    assert_parsed("\"a\"", json_type_string, "\"a\"");
    assert_parsed("true", json_type_boolean, "true");
    assert_parsed("null", json_type_null, "null");
    assert_parsed("1.5", json_type_double, "1.5");
}

static void parses_a_number_that_is_the_whole_text(void **state)
{
    (void)state;
    assert_parsed("12", json_type_int, "12");
    assert_parsed(" 12 ", json_type_int, "12");
    assert_parsed("-0", json_type_int, "0");
    assert_parsed("18446744073709551615", json_type_int, "18446744073709551615");
    assert_parsed("-9223372036854775808", json_type_int, "-9223372036854775808");
}

static void parses_only_the_length_given(void **state)
{
    struct json_text_fault fault;
    struct json_object *value;

    (void)state;
    assert_int_equal(message_parse("12345", 2, &value, &fault), 0);
    assert_int_equal(json_object_get_int(value), 12);
    json_object_put(value);
    assert_int_equal(message_parse("[1],", 3, &value, &fault), 0);
    json_object_put(value);
}

static void keeps_nul_inside_strings(void **state)
{
    struct json_object *value = parse("\"a\\u0000b\"");

    (void)state;
    assert_int_equal(json_object_get_string_len(value), 3);
    assert_memory_equal(json_object_get_string(value), "a\0b", 3);
    json_object_put(value);
}

static void refusal_says_where_and_leaves_the_result_alone(void **state)
{
    struct json_object *untouched = json_object_new_int(1), *value = untouched;
    struct json_text_fault fault;

    (void)state;
    assert_int_equal(message_parse("{\"a\":}", 6, &value, &fault), -EINVAL);
    assert_int_equal(fault.offset, 5);
    assert_non_null(fault.what);
    assert_ptr_equal(value, untouched);
    json_object_put(untouched);
}

/* "[" or "{"":" around a scalar: json-c has a limit of its own, which must not be the lower one. */
static void parses_at_the_nesting_limit_and_refuses_above(void **state)
{
    static const struct {
        const char *open, *innermost, *close;
    } shapes[] = { { "[", "0", "]" }, { "{\"\":", "\"a\"", "}" }, { "[", "", "]" } };

    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        for (int levels = PROTOCOL_DEPTH_MAX; levels <= PROTOCOL_DEPTH_MAX + 1; levels++) {
            char text[256] = "";
            struct json_text_fault fault;
            struct json_object *value;
            int r;

            for (int level = 0; level < levels; level++)
                strcat(text, shapes[i].open);
            strcat(text, shapes[i].innermost);
            for (int level = 0; level < levels; level++)
                strcat(text, shapes[i].close);
            r = message_parse(text, strlen(text), &value, &fault);
            assert_int_equal(r, levels <= PROTOCOL_DEPTH_MAX ? 0 : -EINVAL);
            if (r == 0)
                json_object_put(value);
        }
    }
}

/* Of a line of requests; an answer may list any number of VMs. */
static void parses_at_the_limit_of_values_and_refuses_above(void **state)
{
    static char text[2 * PROTOCOL_VALUES_MAX + 2]; /* an array and what is in it */
    const size_t length = sizeof(text) - 1;
    struct json_text_fault fault;
    struct json_object *value;

    (void)state;
    for (size_t i = 0; i < length; i++)
        text[i] = i % 2 ? '0' : ',';
    text[0] = '[';
    text[length - 1] = ']';
    assert_int_equal(message_parse(text, length, &value, &fault), -EINVAL);
    assert_int_equal(message_parse_answer(text, length, &value, &fault), 0);
    assert_int_equal(json_object_array_length(value), PROTOCOL_VALUES_MAX);
    json_object_put(value);

    text[length - 3] = ']';
    assert_int_equal(message_parse(text, length - 2, &value, &fault), 0);
    json_object_put(value);
}

/* JSON-RPC 2.0 section 4 */
static void reads_a_request(void **state)
{
    (void)state;
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"vm.get\",\"params\":{\"vm\":1},\"id\":7}",
                   "vm.get", "{\"vm\":1}", "7");
    assert_request("{\"id\":7,\"params\":[1],\"method\":\"vm.get\",\"jsonrpc\":\"2.0\"}", "vm.get",
                   "[1]", "7");
}

static void params_may_be_left_out(void **state)
{
    (void)state;
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1}", "m", NULL, "1");
}

static void params_may_be_empty(void **state)
{
    (void)state;
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[],\"id\":1}", "m", "[]", "1");
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{},\"id\":1}", "m", "{}", "1");
}

static void id_may_be_a_string_a_number_or_null(void **state)
{
    (void)state;
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"\"}", "m", NULL, "\"\"");
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"a\"}", "m", NULL, "\"a\"");
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":0}", "m", NULL, "0");
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":-1}", "m", NULL, "-1");
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":18446744073709551615}", "m", NULL,
                   "18446744073709551615");
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1.50}", "m", NULL, "1.50");
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1e400}", "m", NULL, "1e400");
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":null}", "m", NULL, "null");
}

/* JSON-RPC 2.0 section 4.1 */
static void request_without_id_is_a_notification(void **state)
{
    (void)state;
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":[1,2]}", "update",
                   "[1,2]", NULL);
}

static void members_of_no_meaning_are_ignored(void **state)
{
    (void)state;
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1,\"trace\":{\"a\":[]}}", "m",
                   NULL, "1");
}

static void value_that_is_no_object_is_no_request(void **state)
{
    static const char why[] = "a request must be an object";

    (void)state;
    assert_no_request("1", why, false, "null");
    assert_no_request("\"a\"", why, false, "null");
    assert_no_request("null", why, false, "null");
    assert_no_request("true", why, false, "null");
    assert_no_request("[]", why, false, "null");
    assert_no_request("[{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1}]", why, false, "null");
}

static void version_must_be_the_string_2_0(void **state)
{
    static const char why[] = "\"jsonrpc\" must be \"2.0\"";

    (void)state;
    assert_no_request("{}", why, false, "null");
    assert_no_request("{\"method\":\"m\",\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":2.0,\"method\":\"m\",\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":2,\"method\":\"m\",\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":\"1.0\",\"method\":\"m\",\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":\"2\",\"method\":\"m\",\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":\"2.0 \",\"method\":\"m\",\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":\"2.0\\u0000\",\"method\":\"m\",\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":null,\"method\":\"m\",\"id\":1}", why, true, "1");
    assert_no_request("{\"JSONRPC\":\"2.0\",\"method\":\"m\",\"id\":1}", why, true, "1");
}

static void method_must_be_a_string(void **state)
{
    static const char why[] = "\"method\" must be a string without NUL";

    (void)state;
    assert_no_request("{\"jsonrpc\":\"2.0\",\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":1,\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":null,\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":[\"m\"],\"id\":1}", why, true, "1");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":{},\"id\":1}", why, true, "1");
}

static void method_is_never_cut_at_a_nul(void **state)
{
    static const char why[] = "\"method\" must be a string without NUL";

    (void)state;
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"vm.list\\u0000\",\"id\":1}", why, true,
                      "1");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"vm.list\\u0000.all\",\"id\":1}", why, true,
                      "1");
}

static void empty_method_is_a_method(void **state)
{
    (void)state; /* one that does not exist; that is for the dispatcher to say */
    assert_request("{\"jsonrpc\":\"2.0\",\"method\":\"\",\"id\":1}", "", NULL, "1");
}

static void params_must_be_an_array_or_an_object(void **state)
{
    static const char why[] = "\"params\" must be an array or an object";

    (void)state;
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":\"bar\",\"id\":1}", why,
                      true, "1");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":1,\"id\":1}", why, true,
                      "1");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":null,\"id\":1}", why, true,
                      "1");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":false}", why, false,
                      "null");
}

static void id_of_another_type_reads_as_null(void **state)
{
    static const char why[] = "\"id\" must be a string of up to 256 bytes, a number or null";

    (void)state;
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":true}", why, true, "null");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":[1]}", why, true, "null");
    assert_no_request("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{}}", why, true, "null");
}

static void builds_a_request(void **state)
{
    struct json_object *params = json_object_new_object();

    (void)state;
    json_object_object_add(params, "vm", json_object_new_int(1));
    assert_text(message_new_request(json_object_new_int(7), "vm.get", params),
                "{\"jsonrpc\":\"2.0\",\"method\":\"vm.get\",\"params\":{\"vm\":1},\"id\":7}");
    assert_text(message_new_request(json_object_new_string("a"), "vm.list", NULL),
                "{\"jsonrpc\":\"2.0\",\"method\":\"vm.list\",\"id\":\"a\"}");
}

static void builds_a_notification(void **state)
{
    (void)state;
    assert_text(message_new_notification("vm.state", json_object_new_array()),
                "{\"jsonrpc\":\"2.0\",\"method\":\"vm.state\",\"params\":[]}");
    assert_text(message_new_notification("vm.state", NULL),
                "{\"jsonrpc\":\"2.0\",\"method\":\"vm.state\"}");
}

static void builds_a_result(void **state)
{
    (void)state;
    assert_text(message_new_result(json_object_new_int(7), json_object_new_array()),
                "{\"jsonrpc\":\"2.0\",\"result\":[],\"id\":7}");
}

/* JSON-RPC 2.0 section 5: "id" is required, null where it could not be read. */
static void builds_an_error_with_its_name(void **state)
{
    (void)state;
    assert_text(message_new_error(NULL, RPC_PARSE_ERROR, "no", NULL),
                "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"no\","
                "\"data\":{\"name\":\"parse-error\"}},\"id\":null}");
}

static void error_keeps_the_data_it_is_given(void **state)
{
    struct json_object *data = json_object_new_object();

    (void)state;
    json_object_object_add(data, "parameter", json_object_new_string("vm"));
    assert_text(message_new_error(json_object_new_int(7), RPC_VM_NOT_FOUND, "no VM 9", data),
                "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"no VM 9\","
                "\"data\":{\"parameter\":\"vm\",\"name\":\"vm-not-found\"}},\"id\":7}");
}

static void text_is_always_one_line_of_json(void **state)
{
    char all[128], name[128];
    const struct json_text_limits limits = { .depth = PROTOCOL_DEPTH_MAX, .values = 8 };
    struct json_text_fault fault;
    struct json_object *message, *params = json_object_new_object();
    size_t length;
    char *line;

    (void)state;
    for (int c = 0; c < 128; c++)
        all[c] = (char)c;
    memcpy(name, all + 1, 127);
    name[127] = '\0';
    json_object_object_add(params, name, json_object_new_string_len(all, 128));
    message = message_new_notification(name, params);
    line = message_line(message, &length);
    assert_ptr_equal(memchr(line, '\n', length), line + length - 1);
    assert_int_equal(json_text_check(line, length - 1, limits, &fault), 0);
    free(line);
    json_object_put(message);
}

static void text_does_not_escape_what_need_not_be(void **state)
{
    (void)state;
    assert_text(message_new_notification("/\xc3\xa4", NULL),
                "{\"jsonrpc\":\"2.0\",\"method\":\"/\xc3\xa4\"}");
}

static void what_is_built_reads_back(void **state)
{
    struct json_object *params = json_object_new_array(), *message;
    struct message_request request;
    const char *why;

    (void)state;
    json_object_array_add(params, json_object_new_string("a\nb"));
    message = message_new_request(json_object_new_int64(INT64_MAX), "m", params);
    assert_int_equal(message_read_request(message, &request, &why), 0);
    assert_string_equal(request.method, "m");
    assert_ptr_equal(request.params, params);
    assert_int_equal(json_object_get_int64(request.id), INT64_MAX);
    json_object_put(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_every_kind_of_value),
        cmocka_unit_test(parses_a_number_that_is_the_whole_text),
        cmocka_unit_test(parses_only_the_length_given),
        cmocka_unit_test(keeps_nul_inside_strings),
        cmocka_unit_test(refusal_says_where_and_leaves_the_result_alone),
        cmocka_unit_test(parses_at_the_nesting_limit_and_refuses_above),
        cmocka_unit_test(parses_at_the_limit_of_values_and_refuses_above),
        cmocka_unit_test(reads_a_request),
        cmocka_unit_test(params_may_be_left_out),
        cmocka_unit_test(params_may_be_empty),
        cmocka_unit_test(id_may_be_a_string_a_number_or_null),
        cmocka_unit_test(request_without_id_is_a_notification),
        cmocka_unit_test(members_of_no_meaning_are_ignored),
        cmocka_unit_test(value_that_is_no_object_is_no_request),
        cmocka_unit_test(version_must_be_the_string_2_0),
        cmocka_unit_test(method_must_be_a_string),
        cmocka_unit_test(method_is_never_cut_at_a_nul),
        cmocka_unit_test(empty_method_is_a_method),
        cmocka_unit_test(params_must_be_an_array_or_an_object),
        cmocka_unit_test(id_of_another_type_reads_as_null),
        cmocka_unit_test(builds_a_request),
        cmocka_unit_test(builds_a_notification),
        cmocka_unit_test(builds_a_result),
        cmocka_unit_test(builds_an_error_with_its_name),
        cmocka_unit_test(error_keeps_the_data_it_is_given),
        cmocka_unit_test(text_is_always_one_line_of_json),
        cmocka_unit_test(text_does_not_escape_what_need_not_be),
        cmocka_unit_test(what_is_built_reads_back),
    };

    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}

#include "unit_test.h"

#include <stdbool.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/openrpc.h"
#include "protocol/rpc_error.h"

/* JSON-RPC 2.0 section 5.1: what the specification names; the rest of -32000..-32099 is a server's.
 */
static const int standard_codes[] = { -32700, -32600, -32601, -32602, -32603 };

enum { STANDARD_COUNT = sizeof(standard_codes) / sizeof(standard_codes[0]) };

static bool is_standard(int code)
{
    for (size_t i = 0; i < STANDARD_COUNT; i++)
        if (standard_codes[i] == code)
            return true;
    return false;
}

/* components.errors of openrpc.json; *ret_document owns it. */
static struct json_object *documented_errors(struct json_object **ret_document)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *components, *errors;

    *ret_document =
        json_tokener_parse_ex(tokener, openrpc_json, (int)(openrpc_json_end - openrpc_json));
    json_tokener_free(tokener);
    assert_non_null(*ret_document);
    assert_true(json_object_object_get_ex(*ret_document, "components", &components));
    assert_true(json_object_object_get_ex(components, "errors", &errors));
    return errors;
}

static void codes_and_names_are_unique(void **state)
{
    const struct rpc_error_row *row, *other;

    (void)state;
    for (unsigned i = 0; (row = rpc_error_at(i)); i++) {
        for (unsigned j = i + 1; (other = rpc_error_at(j)); j++) {
            assert_int_not_equal(row->code, other->code);
            assert_string_not_equal(row->name, other->name);
        }
    }
}

static void every_row_is_found_by_its_code(void **state)
{
    const struct rpc_error_row *row;

    (void)state;
    for (unsigned i = 0; (row = rpc_error_at(i)); i++)
        assert_ptr_equal(rpc_error_find(row->code), row);
}

static void code_that_is_not_ours_is_not_found(void **state)
{
    (void)state;
    assert_null(rpc_error_find(0));
    assert_null(rpc_error_find(-32099));
    assert_null(rpc_error_find(-32768));
}

static void every_code_of_the_specification_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < STANDARD_COUNT; i++)
        assert_non_null(rpc_error_find(standard_codes[i]));
}

static void every_code_of_our_own_is_in_the_range_for_servers(void **state)
{
    const struct rpc_error_row *row;

    (void)state;
    for (unsigned i = 0; (row = rpc_error_at(i)); i++)
        if (!is_standard((int)row->code))
            assert_in_range(-(int)row->code, 32000, 32099);
}

static void names_are_lower_case_words_with_hyphens(void **state)
{
    const struct rpc_error_row *row;

    (void)state;
    for (unsigned i = 0; (row = rpc_error_at(i)); i++) {
        assert_true(strlen(row->name) > 0);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->name));
        assert_true(strlen(row->sentence) > 0);
    }
}

static void every_code_of_our_own_is_documented_with_its_sentence(void **state)
{
    struct json_object *document, *errors = documented_errors(&document);
    const struct rpc_error_row *row;

    (void)state;
    for (unsigned i = 0; (row = rpc_error_at(i)); i++) {
        struct json_object *entry, *code, *message;

        if (is_standard((int)row->code))
            continue;
        if (!json_object_object_get_ex(errors, row->name, &entry))
            fail_msg("openrpc.json lacks error '%s'", row->name);
        assert_true(json_object_object_get_ex(entry, "code", &code));
        assert_true(json_object_object_get_ex(entry, "message", &message));
        assert_int_equal(json_object_get_int(code), row->code);
        assert_string_equal(json_object_get_string(message), row->sentence);
    }
    json_object_put(document);
}

static void every_documented_error_has_a_row(void **state)
{
    struct json_object *document, *errors = documented_errors(&document);

    (void)state;
    json_object_object_foreach(errors, name, entry) {
        struct json_object *code;
        const struct rpc_error_row *row;

        assert_true(json_object_object_get_ex(entry, "code", &code));
        row = rpc_error_find(json_object_get_int(code));
        assert_non_null(row);
        assert_string_equal(row->name, name);
    }
    json_object_put(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_names_are_unique),
        cmocka_unit_test(every_row_is_found_by_its_code),
        cmocka_unit_test(code_that_is_not_ours_is_not_found),
        cmocka_unit_test(every_code_of_the_specification_is_there),
        cmocka_unit_test(every_code_of_our_own_is_in_the_range_for_servers),
        cmocka_unit_test(names_are_lower_case_words_with_hyphens),
        cmocka_unit_test(every_code_of_our_own_is_documented_with_its_sentence),
        cmocka_unit_test(every_documented_error_has_a_row),
    };

    return cmocka_run_group_tests_name("rpc_error", tests, NULL, NULL);
}

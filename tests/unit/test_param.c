#include "unit_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/message.h"
#include "registry_world.h"
#include "rpc/param.h"
#include "util/log.h"

/* A method's struct with a parameter of each type, and its table. */
struct values {
    struct vm *vm;
    uint64_t number;
    bool flag;
    const char *text;
    unsigned word;
    struct rpc_position position;
    struct rpc_image image;
    uint64_t wide;
};

/* In no order, and not from 0 on. */
static const struct rpc_word words[] = { { "auto", 7 }, { "flat", 3 }, { "elf", 5 }, { 0 } };

#define AT(field) offsetof(struct values, field)

static const struct rpc_param table[] = {
    { "vm", RPC_VM, AT(vm), .requirement = RPC_OPTIONAL },
    { "number", RPC_UINT, AT(number), .requirement = RPC_OPTIONAL, .min = 10, .max = 20,
      .fallback = 15 },
    { "flag", RPC_BOOL, AT(flag), .requirement = RPC_OPTIONAL, .fallback = true },
    { "text", RPC_TEXT, AT(text), .requirement = RPC_OPTIONAL },
    { "word", RPC_WORD, AT(word), .requirement = RPC_OPTIONAL, .words = words, .fallback = 9 },
    { "position", RPC_POSITION, AT(position), .requirement = RPC_OPTIONAL },
    { "image", RPC_IMAGE, AT(image), .requirement = RPC_OPTIONAL },
    { "wide", RPC_UINT, AT(wide), .requirement = RPC_OPTIONAL, .max = UINT64_MAX },
    RPC_PARAMS_END,
};

static const struct rpc_param required_table[] = {
    { "number", RPC_UINT, AT(number), .requirement = RPC_REQUIRED, .max = 20 },
    { "text", RPC_TEXT, AT(text), .requirement = RPC_REQUIRED },
    { "flag", RPC_BOOL, AT(flag), .requirement = RPC_OPTIONAL },
    RPC_PARAMS_END,
};

/* A registry of three ended VMs: 1 and 3 of the name "lab", 4 of the name "other". Workers are
 * started, and end at once: no VM is. */

static struct registry_world world;

static int make_world(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_WARNING);
    registry_world_init(&world, "/bin/true");
    registry_world_leave_vm(&world, 1, "lab", VM_EXITED);
    registry_world_leave_vm(&world, 3, "lab", VM_EXITED);
    registry_world_leave_vm(&world, 4, "other", VM_EXITED);
    registry_world_start(&world);
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    registry_world_end(&world);
    registry_world_deinit(&world);
    return 0;
}

/* Reading. */

static struct json_object *parse(const char *text)
{
    struct json_text_fault fault;
    struct json_object *value = NULL;

    if (message_parse(text, strlen(text), &value, &fault) != 0)
        fail_msg("'%s' is not JSON: %s", text, fault.what);
    return value;
}

/* *ret_params owns what the values point to; the caller puts it. */
static void read_params(const char *text, struct values *values, struct json_object **ret_params)
{
    struct rpc_param_fault fault;

    *ret_params = parse(text);
    if (rpc_params_read(table, *ret_params, world.registry, values, sizeof(*values), &fault) != 0)
        fail_msg("%s: %s", text, fault.error.text);
}

static void assert_fault(const struct rpc_param *rows, const char *text, int code,
                         const char *parameter, const char *value, const char *sentence)
{
    struct json_object *params = text ? parse(text) : NULL;
    struct rpc_param_fault fault;
    struct values values;

    assert_int_equal(rpc_params_read(rows, params, world.registry, &values, sizeof(values), &fault),
                     code);
    assert_int_equal(fault.error.code, code);
    assert_string_equal(fault.error.text, sentence);
    if (parameter)
        assert_string_equal(fault.parameter, parameter);
    else
        assert_null(fault.parameter);
    if (value)
        assert_string_equal(json_object_to_json_string_ext(fault.value, JSON_C_TO_STRING_PLAIN),
                            value);
    else
        assert_null(fault.value);
    json_object_put(params);
}

/* {"NAME":VALUE} is refused with "parameter 'NAME' must be WHAT, not VALUE". */
static void assert_must_be(const char *name, const char *value, const char *what)
{
    char text[512], sentence[512];

    snprintf(text, sizeof(text), "{\"%s\":%s}", name, value);
    snprintf(sentence, sizeof(sentence), "parameter '%s' must be %s, not %s", name, what, value);
    assert_fault(table, text, -EINVAL, name, strcmp(value, "null") == 0 ? NULL : value, sentence);
}

/* By name, by position, left out. */

static void assert_all_given(const struct values *values)
{
    assert_int_equal(vm_id(values->vm), 4);
    assert_int_equal(values->number, 12);
    assert_false(values->flag);
    assert_string_equal(values->text, "hello");
    assert_int_equal(values->word, 3);
    assert_int_equal(values->position.kind, RPC_FROM_END);
    assert_int_equal(values->image.kind, RPC_IMAGE_PATH);
    assert_int_equal(values->wide, 7);
}

static void parameters_by_name_come_in_any_order(void **state)
{
    struct json_object *params;
    struct values values;

    (void)state;
    read_params("{\"wide\":7,\"text\":\"hello\",\"vm\":4,\"image\":{\"path\":\"a\"},\"flag\":false,"
                "\"position\":\"end\",\"word\":\"flat\",\"number\":12}",
                &values, &params);
    assert_all_given(&values);
    json_object_put(params);
}

static void parameters_by_position_come_in_the_order_of_the_table(void **state)
{
    struct json_object *params;
    struct values values;

    (void)state;
    read_params("[4,12,false,\"hello\",\"flat\",\"end\",{\"path\":\"a\"},7]", &values, &params);
    assert_all_given(&values);
    json_object_put(params);
}

static void assert_all_left_out(const struct values *values)
{
    assert_null(values->vm);
    assert_int_equal(values->number, 15);
    assert_true(values->flag);
    assert_null(values->text);
    assert_int_equal(values->word, 9);
    assert_int_equal(values->position.kind, RPC_FROM_START);
    assert_int_equal(values->wide, 0);
}

static void what_is_left_out_has_its_fallback(void **state)
{
    static const char *const texts[] = { "{}", "[]", "[null,null,null,null,null,null,null,null]" };
    struct json_object *params;
    struct values values;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        memset(&values, 0xff, sizeof(values));
        read_params(texts[i], &values, &params);
        assert_all_left_out(&values);
        json_object_put(params);
    }
}

static void params_may_be_left_out_altogether(void **state)
{
    struct rpc_param_fault fault;
    struct values values;

    (void)state;
    memset(&values, 0xff, sizeof(values));
    assert_int_equal(rpc_params_read(table, NULL, world.registry, &values, sizeof(values), &fault),
                     0);
    assert_all_left_out(&values);
}

static void null_by_position_skips_a_parameter(void **state)
{
    struct json_object *params;
    struct values values;

    (void)state;
    read_params("[null,null,null,\"hello\"]", &values, &params);
    assert_int_equal(values.number, 15);
    assert_string_equal(values.text, "hello");
    json_object_put(params);
}

static void null_by_name_is_a_value_of_the_wrong_type(void **state)
{
    (void)state;
    assert_must_be("flag", "null", "true or false");
    assert_must_be("number", "null", "an integer from 10 to 20");
    assert_must_be("text", "null", "a string without NUL");
    assert_must_be("word", "null", "one of \"auto\", \"flat\", \"elf\"");
    assert_must_be("vm", "null", "a VM's id or name");
}

static void required_parameter_that_is_missing_is_named(void **state)
{
    static const char *const texts[] = { NULL, "{}", "[]" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_fault(required_table, texts[i], -EINVAL, "number", NULL,
                     "parameter 'number' is missing");
}

static void missing_parameter_has_no_value_though_others_had(void **state)
{
    (void)state;
    assert_fault(required_table, "{\"number\":1}", -EINVAL, "text", NULL,
                 "parameter 'text' is missing");
    assert_fault(required_table, "[1]", -EINVAL, "text", NULL, "parameter 'text' is missing");
}

static void null_by_position_cannot_skip_a_required_parameter(void **state)
{
    (void)state;
    assert_fault(required_table, "[null,\"a\"]", -EINVAL, "number", NULL,
                 "parameter 'number' must be an integer from 0 to 20, not null");
}

static void unknown_parameter_is_refused_by_name(void **state)
{
    (void)state;
    assert_fault(table, "{\"number\":12,\"nummer\":13}", -EINVAL, "nummer", "13",
                 "there is no parameter 'nummer'");
    assert_fault(table, "{\"Number\":12}", -EINVAL, "Number", "12",
                 "there is no parameter 'Number'");
    assert_fault(table, "{\"\":null}", -EINVAL, "", NULL, "there is no parameter ''");
}

static void more_values_than_parameters_are_refused(void **state)
{
    (void)state;
    assert_fault(table, "[null,null,null,null,null,null,null,null,null]", -EINVAL, NULL, NULL,
                 "the method takes 8 parameters, not 9");
    assert_fault(required_table, "[1,2,3,4]", -EINVAL, NULL, NULL,
                 "the method takes 3 parameters, not 4");
}

static void table_without_rows_takes_nothing(void **state)
{
    static const struct rpc_param nothing[] = { RPC_PARAMS_END };

    (void)state;
    assert_fault(nothing, "[1]", -EINVAL, NULL, NULL, "the method takes 0 parameters, not 1");
    assert_fault(nothing, "{\"a\":1}", -EINVAL, "a", "1", "there is no parameter 'a'");
}

static void long_value_is_cut_in_the_sentence(void **state)
{
    static const char x64[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    char text[256], value[192], sentence[256];

    (void)state;
    snprintf(value, sizeof(value), "\"%s%s\"", x64, x64);
    snprintf(text, sizeof(text), "{\"flag\":%s}", value);
    snprintf(sentence, sizeof(sentence), "parameter 'flag' must be true or false, not %.64s",
             value);
    assert_fault(table, text, -EINVAL, "flag", value, sentence);
}

/* Each type. */

static void boolean_takes_true_and_false_and_nothing_like_them(void **state)
{
    static const char *const values[] = { "0", "1", "\"true\"", "[]", "{}", "1.0" };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_must_be("flag", values[i], "true or false");
}

static uint64_t read_number(const char *text)
{
    struct json_object *params;
    struct values values;

    read_params(text, &values, &params);
    json_object_put(params);
    return values.number;
}

static uint64_t read_wide(const char *text)
{
    struct json_object *params;
    struct values values;

    read_params(text, &values, &params);
    json_object_put(params);
    return values.wide;
}

static void number_takes_its_range_and_no_more(void **state)
{
    static const char *const values[] = { "9",
                                          "21",
                                          "0",
                                          "-12",
                                          "-1",
                                          "12.0",
                                          "1.2e1",
                                          "\"12\"",
                                          "true",
                                          "[12]",
                                          "18446744073709551615",
                                          "-9223372036854775808" };

    (void)state;
    assert_int_equal(read_number("{\"number\":10}"), 10);
    assert_int_equal(read_number("{\"number\":20}"), 20);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_must_be("number", values[i], "an integer from 10 to 20");
}

static void number_is_exact_up_to_64_bits(void **state)
{
    (void)state;
    assert_int_equal(read_wide("{\"wide\":9007199254740993}"), UINT64_C(9007199254740993));
    assert_int_equal(read_wide("{\"wide\":9223372036854775807}"), INT64_MAX);
    assert_int_equal(read_wide("{\"wide\":9223372036854775808}"), UINT64_C(1) << 63);
    assert_int_equal(read_wide("{\"wide\":18446744073709551615}"), UINT64_MAX);
}

static void minus_zero_is_zero(void **state)
{
    (void)state;
    assert_int_equal(read_wide("{\"wide\":-0}"), 0);
}

static void number_below_zero_is_not_wrapped(void **state)
{
    (void)state;
    assert_must_be("wide", "-1", "an integer from 0 to 18446744073709551615");
    assert_must_be("wide", "-9223372036854775808", "an integer from 0 to 18446744073709551615");
}

static void text_is_any_string_without_nul(void **state)
{
    struct json_object *params;
    struct values values;

    (void)state;
    read_params("{\"text\":\"\"}", &values, &params);
    assert_string_equal(values.text, "");
    json_object_put(params);
    read_params("{\"text\":\"\\u00e4 \\n\"}", &values, &params);
    assert_string_equal(values.text, "\xc3\xa4 \n");
    json_object_put(params);

    assert_must_be("text", "12", "a string without NUL");
    assert_must_be("text", "[\"a\"]", "a string without NUL");
    assert_must_be("text", "\"a\\u0000b\"", "a string without NUL");
    assert_must_be("text", "\"\\u0000\"", "a string without NUL");
}

static void word_is_one_of_those_listed(void **state)
{
    struct json_object *params;
    struct values values;

    (void)state;
    for (unsigned i = 0; words[i].word; i++) {
        char text[64];

        snprintf(text, sizeof(text), "{\"word\":\"%s\"}", words[i].word);
        read_params(text, &values, &params);
        assert_int_equal(values.word, words[i].value);
        json_object_put(params);
    }
    assert_must_be("word", "\"Flat\"", "one of \"auto\", \"flat\", \"elf\"");
    assert_must_be("word", "\"\"", "one of \"auto\", \"flat\", \"elf\"");
    assert_must_be("word", "\"flat\\u0000\"", "one of \"auto\", \"flat\", \"elf\"");
    assert_must_be("word", "1", "one of \"auto\", \"flat\", \"elf\"");
}

static void assert_vm(const char *value, uint64_t expected_id)
{
    struct json_object *params;
    struct values values;
    char text[64];

    snprintf(text, sizeof(text), "{\"vm\":%s}", value);
    read_params(text, &values, &params);
    assert_int_equal(vm_id(values.vm), expected_id);
    json_object_put(params);
}

static void vm_is_found_by_number_digits_and_name(void **state)
{
    (void)state;
    assert_vm("1", 1);
    assert_vm("\"1\"", 1);
    assert_vm("\"003\"", 3);
    assert_vm("\"other\"", 4);
}

static void name_of_several_ended_vms_is_the_latest(void **state)
{
    (void)state;
    assert_vm("\"lab\"", 3);
}

static void vm_that_is_not_there_is_not_found(void **state)
{
    static const char *const values[] = {
        "2",
        "0",
        "\"2\"",
        "\"\"",
        "\"labs\"",
        "\"LAB\"",
        "\" 1\"",
        "\"-1\"",
        "\"1.0\"",
        "\"0x1\"",
        "9223372036854775807",
        "18446744073709551615",
        "\"18446744073709551617\"",
    };
    char text[64], sentence[128];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(text, sizeof(text), "{\"vm\":%s}", values[i]);
        snprintf(sentence, sizeof(sentence), "there is no VM %s", values[i]);
        assert_fault(table, text, -ESRCH, "vm", values[i], sentence);
    }
}

static void vm_is_no_other_value(void **state)
{
    static const char *const values[] = { "-1", "1.0", "true", "[1]", "{}", "\"lab\\u0000\"" };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_must_be("vm", values[i], "a VM's id or name");
}

static void assert_position(const char *value, enum rpc_position_kind kind, uint64_t number)
{
    struct json_object *params;
    struct values values;
    char text[64];

    snprintf(text, sizeof(text), "{\"position\":%s}", value);
    read_params(text, &values, &params);
    assert_int_equal(values.position.kind, kind);
    assert_int_equal(values.position.value, number);
    json_object_put(params);
}

static void position_is_a_word_an_offset_or_a_number_of_bytes(void **state)
{
    (void)state;
    assert_position("\"start\"", RPC_FROM_START, 0);
    assert_position("\"end\"", RPC_FROM_END, 0);
    assert_position("0", RPC_FROM_OFFSET, 0);
    assert_position("-0", RPC_FROM_OFFSET, 0);
    assert_position("4711", RPC_FROM_OFFSET, 4711);
    assert_position("18446744073709551615", RPC_FROM_OFFSET, UINT64_MAX);
    assert_position("-1", RPC_FROM_LAST, 1);
    assert_position("-9223372036854775808", RPC_FROM_LAST, UINT64_C(1) << 63);
}

static void position_is_no_other_value(void **state)
{
    static const char *const values[] = { "\"Start\"", "\"\"", "\"0\"", "1.5",           "-1.0",
                                          "true",      "[0]",  "null",  "\"end\\u0000\"" };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_must_be("position", values[i],
                       "\"start\", \"end\", an offset, or minus a number of bytes");
}

static void assert_image(const char *value, enum rpc_image_kind kind, const char *name)
{
    struct json_object *params;
    struct values values;
    char text[128];

    snprintf(text, sizeof(text), "{\"image\":%s}", value);
    read_params(text, &values, &params);
    assert_int_equal(values.image.kind, kind);
    if (kind == RPC_IMAGE_DATA)
        assert_string_equal(json_object_get_string(values.image.data), "9A==");
    if (kind == RPC_IMAGE_PATH)
        assert_string_equal(values.image.path, "a.bin");
    if (name)
        assert_string_equal(values.image.name, name);
    else
        assert_null(values.image.name);
    json_object_put(params);
}

static void image_comes_from_one_of_three_sources_with_a_name_or_without(void **state)
{
    (void)state;
    assert_image("{\"fd\":true}", RPC_IMAGE_FD, NULL);
    assert_image("{\"data\":\"9A==\"}", RPC_IMAGE_DATA, NULL);
    assert_image("{\"path\":\"a.bin\"}", RPC_IMAGE_PATH, NULL);
    assert_image("{\"fd\":true,\"name\":\"n\"}", RPC_IMAGE_FD, "n");
    assert_image("{\"name\":\"n\",\"data\":\"9A==\"}", RPC_IMAGE_DATA, "n");
    assert_image("{\"path\":\"a.bin\",\"name\":\"\"}", RPC_IMAGE_PATH, "");
}

static void image_of_which_fd_is_false_comes_from_the_other_source(void **state)
{
    (void)state;
    assert_image("{\"fd\":false,\"data\":\"9A==\"}", RPC_IMAGE_DATA, NULL);
    assert_image("{\"data\":\"9A==\",\"fd\":false}", RPC_IMAGE_DATA, NULL);
    assert_image("{\"path\":\"a.bin\",\"fd\":false}", RPC_IMAGE_PATH, NULL);
}

static void image_that_is_not_exactly_one_source_is_refused(void **state)
{
    static const char *const values[] = {
        "{}",
        "{\"name\":\"n\"}",
        "{\"fd\":false}",
        "{\"fd\":true,\"data\":\"9A==\"}",
        "{\"data\":\"9A==\",\"path\":\"a.bin\"}",
        "{\"fd\":1}",
        "{\"data\":12}",
        "{\"data\":\"9A==\\u0000\"}",
        "{\"path\":null}",
        "{\"path\":\"a\\u0000b\"}",
        "{\"fd\":true,\"name\":1}",
        "{\"fd\":true,\"size\":1}",
        "\"a.bin\"",
        "[true]",
        "true",
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(text, sizeof(text), "{\"image\":%s}", values[i]);
        assert_fault(table, text, -EINVAL, "image", values[i],
                     "parameter 'image' must be an object with exactly one of \"fd\": true, "
                     "\"data\": base64 and \"path\": file, and optionally \"name\"");
    }
}

/* Positions in the output of a VM that printed 100 bytes. */

static void assert_resolved(enum rpc_position_kind kind, uint64_t value, uint64_t expected)
{
    struct output_ring_state ring = { .capacity = 4096, .size = 4096, .end = 100 };
    struct vm_file file = { .fd = -1, .ring = { .state = &ring } };
    const struct rpc_position position = { .kind = kind, .value = value };
    const struct vm vm = { .file = &file };
    uint64_t offset;
    struct error err;

    assert_int_equal(rpc_position_resolve(&position, &vm, &offset, &err), 0);
    assert_int_equal(offset, expected);
}

static void position_becomes_an_offset(void **state)
{
    (void)state;
    assert_resolved(RPC_FROM_START, 0, 0);
    assert_resolved(RPC_FROM_END, 0, 100);
    assert_resolved(RPC_FROM_OFFSET, 0, 0);
    assert_resolved(RPC_FROM_OFFSET, 100, 100);
    assert_resolved(RPC_FROM_LAST, 1, 99);
    assert_resolved(RPC_FROM_LAST, 100, 0);
}

static void more_than_all_of_the_output_is_all_of_it(void **state)
{
    (void)state;
    assert_resolved(RPC_FROM_LAST, 101, 0);
    assert_resolved(RPC_FROM_LAST, UINT64_C(1) << 63, 0);
}

static void offset_in_the_future_is_refused(void **state)
{
    const struct rpc_position position = { .kind = RPC_FROM_OFFSET, .value = 1 };
    const struct vm vm = { .record = { .name = "lab" } };
    uint64_t offset = 77;
    struct error err;

    (void)state;
    assert_int_equal(rpc_position_resolve(&position, &vm, &offset, &err), -ERANGE);
    assert_string_equal(err.text, "offset 1 does not exist yet: VM 'lab' has written 0 bytes");
    assert_int_equal(offset, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_by_name_come_in_any_order),
        cmocka_unit_test(parameters_by_position_come_in_the_order_of_the_table),
        cmocka_unit_test(what_is_left_out_has_its_fallback),
        cmocka_unit_test(params_may_be_left_out_altogether),
        cmocka_unit_test(null_by_position_skips_a_parameter),
        cmocka_unit_test(null_by_name_is_a_value_of_the_wrong_type),
        cmocka_unit_test(required_parameter_that_is_missing_is_named),
        cmocka_unit_test(missing_parameter_has_no_value_though_others_had),
        cmocka_unit_test(null_by_position_cannot_skip_a_required_parameter),
        cmocka_unit_test(unknown_parameter_is_refused_by_name),
        cmocka_unit_test(more_values_than_parameters_are_refused),
        cmocka_unit_test(table_without_rows_takes_nothing),
        cmocka_unit_test(long_value_is_cut_in_the_sentence),
        cmocka_unit_test(boolean_takes_true_and_false_and_nothing_like_them),
        cmocka_unit_test(number_takes_its_range_and_no_more),
        cmocka_unit_test(number_is_exact_up_to_64_bits),
        cmocka_unit_test(minus_zero_is_zero),
        cmocka_unit_test(number_below_zero_is_not_wrapped),
        cmocka_unit_test(text_is_any_string_without_nul),
        cmocka_unit_test(word_is_one_of_those_listed),
        cmocka_unit_test(vm_is_found_by_number_digits_and_name),
        cmocka_unit_test(name_of_several_ended_vms_is_the_latest),
        cmocka_unit_test(vm_that_is_not_there_is_not_found),
        cmocka_unit_test(vm_is_no_other_value),
        cmocka_unit_test(position_is_a_word_an_offset_or_a_number_of_bytes),
        cmocka_unit_test(position_is_no_other_value),
        cmocka_unit_test(image_comes_from_one_of_three_sources_with_a_name_or_without),
        cmocka_unit_test(image_of_which_fd_is_false_comes_from_the_other_source),
        cmocka_unit_test(image_that_is_not_exactly_one_source_is_refused),
        cmocka_unit_test(position_becomes_an_offset),
        cmocka_unit_test(more_than_all_of_the_output_is_all_of_it),
        cmocka_unit_test(offset_in_the_future_is_refused),
    };

    return cmocka_run_group_tests_name("param", tests, make_world, end_world);
}

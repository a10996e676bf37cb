/*
 * The method table and protocol/openrpc.json say the same: that document is what clients are
 * written from.
 */
#include "unit_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/openrpc.h"
#include "rpc/method.h"
#include "rpc/output_text.h"
#include "shared/definition.h"
#include "shared/guest_end.h"
#include "shared/vm_state.h"

static struct json_object *document;

static int read_document(void **state)
{
    struct json_tokener *tokener = json_tokener_new();

    (void)state;
    assert_non_null(tokener);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    document = json_tokener_parse_ex(tokener, openrpc_json, (int)(openrpc_json_end - openrpc_json));
    assert_int_equal(json_tokener_get_error(tokener), json_tokener_success);
    json_tokener_free(tokener);
    return 0;
}

static int put_document(void **state)
{
    (void)state;
    json_object_put(document);
    return 0;
}

/* A member, or NULL. */
static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(object, name, &value);
    return value;
}

/* A member that is a string, or "". */
static const char *text(struct json_object *object, const char *name)
{
    const char *value = json_object_get_string(member(object, name));

    return value ? value : "";
}

/* What a "$ref" leads to: "#/components/schemas/NAME" and the like. */
static struct json_object *follow(const char *reference)
{
    struct json_object *found = NULL;

    if (reference[0] != '#' || json_pointer_get(document, reference + 1, &found) != 0)
        fail_msg("'%s' leads nowhere", reference);
    return found;
}

/* The schema itself, or the one it refers to. */
static struct json_object *resolve(struct json_object *schema)
{
    return member(schema, "$ref") ? follow(text(schema, "$ref")) : schema;
}

/* The documented row of a method, or NULL. */
static struct json_object *documented_method(size_t index)
{
    return json_object_array_get_idx(member(document, "methods"), index);
}

static size_t documented_method_count(void)
{
    return json_object_array_length(member(document, "methods"));
}

static size_t method_count(void)
{
    size_t count = 0;

    while (rpc_method_at(count))
        count++;
    return count;
}

/* Methods. */

static void methods_are_the_documented_ones_in_their_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < method_count() && i < documented_method_count(); i++)
        assert_string_equal(rpc_method_at(i)->name, text(documented_method(i), "name"));
    assert_int_equal(method_count(), documented_method_count());
}

static void each_method_is_found_by_its_name_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < method_count(); i++)
        assert_ptr_equal(rpc_method_find(rpc_method_at(i)->name), rpc_method_at(i));
    assert_null(rpc_method_find(""));
    assert_null(rpc_method_find("vm"));
    assert_null(rpc_method_find("vm.Start"));
    assert_null(rpc_method_find("vm.start "));
}

static void each_method_has_a_handler(void **state)
{
    (void)state;
    for (size_t i = 0; i < method_count(); i++)
        assert_non_null(rpc_method_at(i)->call);
}

static void each_method_is_explained_with_its_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < documented_method_count(); i++) {
        struct json_object *method = documented_method(i);

        assert_string_not_equal(text(method, "summary"), "");
        assert_non_null(member(member(method, "result"), "schema"));
    }
}

/* Parameters. */

struct comparison {
    const char *method;
    const struct rpc_param *row;
    struct json_object *param;  /* as documented */
    struct json_object *schema; /* of it, resolved */
};

/* Calls fn with each parameter of the table, and what the document says of it. */
static void compare_params(void (*fn)(const struct comparison *comparison))
{
    for (size_t i = 0; i < method_count(); i++) {
        const struct rpc_method *method = rpc_method_at(i);
        struct json_object *params = member(documented_method(i), "params");

        for (size_t n = 0; method->params[n].type != RPC_END; n++) {
            struct comparison comparison = { .method = method->name, .row = &method->params[n] };

            comparison.param = json_object_array_get_idx(params, n);
            if (!comparison.param)
                fail_msg("%s: '%s' is not documented", method->name, method->params[n].name);
            comparison.schema = resolve(member(comparison.param, "schema"));
            assert_non_null(comparison.schema);
            fn(&comparison);
        }
    }
}

static void disagree(const struct comparison *comparison, const char *about)
{
    fail_msg("%s: the table and the document disagree on %s of '%s'", comparison->method, about,
             comparison->row->name);
}

/* Whether the parameter is documented by reference to that schema. */
static bool refers_to(const struct comparison *comparison, const char *name)
{
    char reference[64];

    snprintf(reference, sizeof(reference), "#/components/schemas/%s", name);
    return strcmp(text(member(comparison->param, "schema"), "$ref"), reference) == 0;
}

static void compare_name(const struct comparison *comparison)
{
    if (strcmp(comparison->row->name, text(comparison->param, "name")) != 0)
        disagree(comparison, "the name");
}

static void parameters_are_the_documented_ones_in_their_order(void **state)
{
    (void)state;
    compare_params(compare_name);
}

static void no_documented_parameter_is_missing_from_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < method_count(); i++) {
        const struct rpc_param *rows = rpc_method_at(i)->params;
        size_t count = 0;

        while (rows[count].type != RPC_END)
            count++;
        assert_int_equal(json_object_array_length(member(documented_method(i), "params")), count);
    }
}

static void compare_requirement(const struct comparison *comparison)
{
    bool required = json_object_get_boolean(member(comparison->param, "required"));

    if (required != (comparison->row->requirement == RPC_REQUIRED))
        disagree(comparison, "whether it is required");
}

static void parameters_are_required_as_documented(void **state)
{
    (void)state;
    compare_params(compare_requirement);
}

static void compare_type(const struct comparison *comparison)
{
    static const struct {
        const char *type;   /* of the documented schema, or */
        const char *schema; /* the name of the schema that is referred to */
    } documented[] = {
        [RPC_BOOL] = { "boolean", NULL }, [RPC_UINT] = { "integer", NULL },
        [RPC_TEXT] = { "string", NULL },  [RPC_WORD] = { "string", NULL },
        [RPC_VM] = { NULL, "VmRef" },     [RPC_POSITION] = { NULL, "From" },
        [RPC_IMAGE] = { NULL, "Image" },  [RPC_IMAGES] = { NULL, "Modules" },
    };
    enum rpc_param_type type = comparison->row->type;

    if (documented[type].type &&
        strcmp(text(comparison->schema, "type"), documented[type].type) != 0)
        disagree(comparison, "the type");
    if (documented[type].schema && !refers_to(comparison, documented[type].schema))
        disagree(comparison, "the type");
    if ((type == RPC_WORD) != (member(comparison->schema, "enum") != NULL))
        disagree(comparison, "whether it is a word of a list");
}

static void parameters_have_the_documented_types(void **state)
{
    (void)state;
    compare_params(compare_type);
}

/* Without a documented maximum, every integer of JSON-RPC's signed 64 bits is taken. */
static void compare_range(const struct comparison *comparison)
{
    struct json_object *max = member(comparison->schema, "maximum");
    uint64_t minimum = json_object_get_uint64(member(comparison->schema, "minimum"));

    if (comparison->row->type != RPC_UINT)
        return;
    if (comparison->row->min != minimum)
        disagree(comparison, "the minimum");
    if (comparison->row->max != (max ? json_object_get_uint64(max) : INT64_MAX))
        disagree(comparison, "the maximum");
}

static void numbers_have_the_documented_range(void **state)
{
    (void)state;
    compare_params(compare_range);
}

/* UINT64_MAX: it is no word of the row's. */
static uint64_t value_of(const struct rpc_param *row, const char *word)
{
    for (const struct rpc_word *known = row->words; known->word; known++)
        if (strcmp(known->word, word) == 0)
            return known->value;
    return UINT64_MAX;
}

/* A fallback without a documented default is the method's own way to tell that it was left out. */
static void compare_default(const struct comparison *comparison)
{
    struct json_object *fallback = member(comparison->schema, "default");
    const struct rpc_param *row = comparison->row;
    bool agree = true;

    switch (row->type) {
    case RPC_BOOL:
        agree = fallback && json_object_get_boolean(fallback) == (row->fallback != 0);
        break;
    case RPC_UINT:
        if (fallback)
            agree = json_object_get_uint64(fallback) == row->fallback;
        else
            agree = row->requirement == RPC_REQUIRED || row->fallback < row->min ||
                    row->fallback > row->max;
        break;
    case RPC_WORD:
        agree = value_of(row, text(comparison->schema, "default")) == row->fallback;
        break;
    case RPC_POSITION:
        agree = strcmp(text(comparison->schema, "default"), "start") == 0;
        break;
    case RPC_TEXT:
    case RPC_VM:
    case RPC_IMAGE:
    case RPC_IMAGES:
        agree = !fallback;
        break;
    case RPC_END:
        break;
    }
    if (!agree)
        disagree(comparison, "the default");
}

static void parameters_have_the_documented_defaults(void **state)
{
    (void)state;
    compare_params(compare_default);
}

static void compare_words(const struct comparison *comparison)
{
    struct json_object *documented = member(comparison->schema, "enum");
    size_t count = 0;

    if (comparison->row->type != RPC_WORD)
        return;
    for (; comparison->row->words[count].word; count++) {
        struct json_object *word = json_object_array_get_idx(documented, count);

        if (!word || strcmp(json_object_get_string(word), comparison->row->words[count].word) != 0)
            disagree(comparison, "the words");
    }
    if (json_object_array_length(documented) != count)
        disagree(comparison, "the number of words");
}

static void words_are_the_documented_ones_in_their_order(void **state)
{
    (void)state;
    compare_params(compare_words);
}

static const struct rpc_word *words_of(const char *method, const char *parameter)
{
    const struct rpc_param *row = rpc_method_find(method)->params;

    while (row->type != RPC_END && strcmp(row->name, parameter) != 0)
        row++;
    assert_int_equal(row->type, RPC_WORD);
    return row->words;
}

/* What a start can ask for is called as it is in records: there, an enum's value has its word. */
static void a_starts_words_are_those_of_records(void **state)
{
    const struct rpc_word *word;

    (void)state;
    for (word = words_of("vm.start", "format"); word->word; word++)
        assert_string_equal(word->word, image_format_to_string((enum image_format)word->value));
    for (word = words_of("vm.start", "mode"); word->word; word++)
        if (word->value < BOOT_MODE_COUNT)
            assert_string_equal(word->word, boot_mode_to_string((enum boot_mode)word->value));
        else
            assert_string_equal(word->word, "auto");
    for (word = words_of("vm.start", "machine"); word->word; word++)
        if (word->value < BOARD_KIND_COUNT)
            assert_string_equal(word->word, board_kind_to_string((enum board_kind)word->value));
        else
            assert_string_equal(word->word, "auto");
}

static void encodings_are_called_what_they_are(void **state)
{
    static const char *const methods[] = { "vm.attach", "vm.output", "vm.input" };

    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        const struct rpc_word *words = words_of(methods[i], "encoding");

        assert_string_equal(words[0].word, "base64");
        assert_int_equal(words[0].value, OUTPUT_BASE64);
        assert_string_equal(words[1].word, "utf-8");
        assert_int_equal(words[1].value, OUTPUT_UTF8);
        assert_null(words[2].word);
    }
}

/* Where dispatch has the methods' structs. */
static void check_offset(const struct comparison *comparison)
{
    static const struct {
        size_t size, alignment;
    } fields[] = {
        [RPC_BOOL] = { sizeof(bool), _Alignof(bool) },
        [RPC_UINT] = { sizeof(uint64_t), _Alignof(uint64_t) },
        [RPC_TEXT] = { sizeof(char *), _Alignof(char *) },
        [RPC_WORD] = { sizeof(unsigned), _Alignof(unsigned) },
        [RPC_VM] = { sizeof(struct vm *), _Alignof(struct vm *) },
        [RPC_POSITION] = { sizeof(struct rpc_position), _Alignof(struct rpc_position) },
        [RPC_IMAGE] = { sizeof(struct rpc_image), _Alignof(struct rpc_image) },
        [RPC_IMAGES] = { sizeof(struct rpc_images), _Alignof(struct rpc_images) },
    };
    const struct rpc_param *row = comparison->row;

    assert_in_range(row->offset + fields[row->type].size, 0, RPC_PARAMS_SIZE_MAX);
    assert_int_equal(row->offset % fields[row->type].alignment, 0);
}

static void each_methods_struct_fits_where_it_is_filled_in(void **state)
{
    (void)state;
    compare_params(check_offset);
}

/* Schemas. */

static void image_is_documented_with_the_members_that_are_read(void **state)
{
    static const char *const names[] = { "fd", "data", "path", "name" };
    struct json_object *schema = follow("#/components/schemas/Image");
    struct json_object *properties = member(schema, "properties");

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_non_null(member(properties, names[i]));
    assert_int_equal(json_object_object_length(properties), 4);
    assert_false(json_object_get_boolean(member(schema, "additionalProperties")));
}

static void states_are_the_documented_ones(void **state)
{
    struct json_object *words = member(follow("#/components/schemas/State"), "enum");

    (void)state;
    assert_int_equal(json_object_array_length(words), VM_STATE_COUNT);
    for (unsigned i = 0; i < VM_STATE_COUNT; i++)
        assert_string_equal(vm_state_to_string((enum vm_state)i),
                            json_object_get_string(json_object_array_get_idx(words, i)));
}

static void reasons_of_an_end_are_the_documented_ones(void **state)
{
    struct json_object *exit = follow("#/components/schemas/Exit");
    struct json_object *words = member(member(member(exit, "properties"), "reason"), "enum");

    (void)state;
    assert_int_equal(json_object_array_length(words), GUEST_END_COUNT - 1); /* but "none" */
    for (unsigned i = 1; i < GUEST_END_COUNT; i++)
        assert_string_equal(guest_end_reason_to_string((enum guest_end_reason)i),
                            json_object_get_string(json_object_array_get_idx(words, i - 1)));
}

/* Follows each "$ref" in value, at any depth. */
static void follow_all(struct json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            follow_all(json_object_array_get_idx(value, i));
        return;
    }
    if (!json_object_is_type(value, json_type_object))
        return;
    json_object_object_foreach(value, name, inner) {
        if (strcmp(name, "$ref") == 0)
            assert_non_null(follow(json_object_get_string(inner)));
        else
            follow_all(inner);
    }
}

static void every_reference_leads_somewhere(void **state)
{
    (void)state;
    follow_all(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_the_documented_ones_in_their_order),
        cmocka_unit_test(each_method_is_found_by_its_name_and_no_other),
        cmocka_unit_test(each_method_has_a_handler),
        cmocka_unit_test(each_method_is_explained_with_its_result),
        cmocka_unit_test(parameters_are_the_documented_ones_in_their_order),
        cmocka_unit_test(no_documented_parameter_is_missing_from_the_table),
        cmocka_unit_test(parameters_are_required_as_documented),
        cmocka_unit_test(parameters_have_the_documented_types),
        cmocka_unit_test(numbers_have_the_documented_range),
        cmocka_unit_test(parameters_have_the_documented_defaults),
        cmocka_unit_test(words_are_the_documented_ones_in_their_order),
        cmocka_unit_test(a_starts_words_are_those_of_records),
        cmocka_unit_test(encodings_are_called_what_they_are),
        cmocka_unit_test(each_methods_struct_fits_where_it_is_filled_in),
        cmocka_unit_test(image_is_documented_with_the_members_that_are_read),
        cmocka_unit_test(states_are_the_documented_ones),
        cmocka_unit_test(reasons_of_an_end_are_the_documented_ones),
        cmocka_unit_test(every_reference_leads_somewhere),
    };

    return cmocka_run_group_tests_name("methods", tests, read_document, put_document);
}

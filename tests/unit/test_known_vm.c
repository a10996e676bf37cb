/*
 * Known VM: which is the same one, and which is not.
 */
#include "unit_test.h"

#include "field.h"
#include "known_vm.h"

static struct json_object *record_of(int id, const char *name, const char *created)
{
    struct json_object *record = json_object_new_object();

    json_object_object_add(record, "id", json_object_new_int(id));
    json_object_object_add(record, "name", json_object_new_string(name));
    if (created)
        json_object_object_add(record, "created", json_object_new_string(created));
    return record;
}

static bool is(const struct known_vm *known, int id, const char *name, const char *created)
{
    _cleanup_json_ struct json_object *record = record_of(id, name, created);

    return known_vm_is(known, record);
}

static void learn(struct known_vm *known, int id, const char *name, const char *created)
{
    _cleanup_json_ struct json_object *record = record_of(id, name, created);

    known_vm_learn(known, record);
}

static void same_id_and_time_are_the_same_vm(void **state)
{
    struct known_vm known = { 0 };

    (void)state;
    learn(&known, 3, "lab", "12:00");
    assert_true(is(&known, 3, "lab", "12:00"));
    assert_false(is(&known, 4, "lab", "12:00"));
    assert_false(is(&known, 3, "lab", "12:01"));
    known_vm_deinit(&known);
}

static void what_a_start_answers_has_no_time(void **state)
{
    struct known_vm known = { 0 };

    (void)state;
    learn(&known, 3, "lab", NULL);
    assert_true(is(&known, 3, "lab", "12:00"));
    learn(&known, 3, "lab", "12:00");
    assert_false(is(&known, 3, "lab", "12:01"));
    known_vm_deinit(&known);
}

static void it_is_asked_for_by_id(void **state)
{
    struct known_vm known = { 0 };
    _cleanup_json_ struct json_object *params = NULL;

    (void)state;
    learn(&known, 3, "lab", "12:00");
    params = known_vm_params(&known);
    assert_int_equal(field_integer(params, "vm"), 3);
    assert_int_equal(json_object_object_length(params), 1);
    known_vm_deinit(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_id_and_time_are_the_same_vm),
        cmocka_unit_test(what_a_start_answers_has_no_time),
        cmocka_unit_test(it_is_asked_for_by_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

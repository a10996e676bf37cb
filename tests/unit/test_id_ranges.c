/*
 * Id ranges: what follows on each other is one, and nothing is left out.
 */
#include "unit_test.h"

#include <json-c/json.h>

#include "field.h"
#include "id_ranges.h"
#include "util/cleanup.h"

static void assert_ranges(const char *array, const char *expected)
{
    _cleanup_json_ struct json_object *ids = json_tokener_parse(array);
    _cleanup_free_ char *text = id_ranges_new(ids);

    assert_string_equal(text, expected);
}

static void no_ids_are_a_dash(void **state)
{
    (void)state;
    assert_ranges("[]", "-");
    assert_ranges("null", "-");
    assert_ranges("7", "-");
}

static void ids_with_gaps_stand_alone(void **state)
{
    (void)state;
    assert_ranges("[7]", "7");
    assert_ranges("[1, 3, 5]", "1, 3, 5");
}

static void ids_without_gaps_are_a_range(void **state)
{
    (void)state;
    assert_ranges("[1, 2]", "1-2");
    assert_ranges("[1, 2, 3, 7, 9, 10, 11, 12]", "1-3, 7, 9-12");
}

static void order_does_not_matter(void **state)
{
    (void)state;
    assert_ranges("[9, 2, 10, 1, 3]", "1-3, 9-10");
}

static void ids_that_come_twice_are_shown_once(void **state)
{
    (void)state;
    assert_ranges("[4, 4]", "4");
    assert_ranges("[4, 4, 5, 5]", "4-5");
}

static void longest_ids_have_room(void **state)
{
    (void)state;
    assert_ranges("[-9223372036854775807, 9223372036854775806, 9223372036854775807, "
                  "-9223372036854775808]",
                  "-9223372036854775808--9223372036854775807, "
                  "9223372036854775806-9223372036854775807");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_ids_are_a_dash),
        cmocka_unit_test(ids_with_gaps_stand_alone),
        cmocka_unit_test(ids_without_gaps_are_a_range),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(ids_that_come_twice_are_shown_once),
        cmocka_unit_test(longest_ids_have_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

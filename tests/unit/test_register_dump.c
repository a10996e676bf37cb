#include "unit_test.h"

#include <stdio.h>

#include "shared/register_dump.h"

static void rows_keep_their_order(void **state)
{
    struct register_dump dump = { 0 };

    (void)state;
    register_dump_add(&dump, "rip", 0x1000);
    register_dump_add(&dump, "rax", UINT64_MAX);
    assert_int_equal(dump.count, 2);
    assert_string_equal(dump.rows[0].name, "rip");
    assert_int_equal(dump.rows[0].value, 0x1000);
    assert_string_equal(dump.rows[1].name, "rax");
    assert_int_equal(dump.rows[1].value, UINT64_MAX);
}

static void full_dump_stays_as_it_is(void **state)
{
    struct {
        struct register_dump dump;
        struct register_value behind;
    } memory = { .behind = { "guard", 1 } };
    char name[REGISTER_NAME_SIZE];

    (void)state;
    for (unsigned i = 0; i < REGISTER_DUMP_MAX; i++) {
        snprintf(name, sizeof(name), "r%u", i);
        register_dump_add(&memory.dump, name, i);
    }
    register_dump_add(&memory.dump, "toomany", 99);
    assert_int_equal(memory.dump.count, REGISTER_DUMP_MAX);
    assert_string_equal(memory.dump.rows[REGISTER_DUMP_MAX - 1].name, "r47");
    assert_string_equal(memory.behind.name, "guard");
}

static void name_that_just_fits_is_whole_and_a_longer_one_is_cut(void **state)
{
    struct register_dump dump = { 0 };

    (void)state;
    register_dump_add(&dump, "seven77", 1);
    register_dump_add(&dump, "eight888", 2);
    assert_string_equal(dump.rows[0].name, "seven77");
    assert_string_equal(dump.rows[1].name, "eight88");
}

static void new_dump_knows_of_no_code(void **state)
{
    struct register_dump dump = { 0 };

    (void)state;
    register_dump_add(&dump, "rip", 0x1000);
    assert_int_equal(dump.code_size, 0);
    assert_int_equal(dump.code_bits, 0);
    assert_int_equal(dump.code_address, 0);
}

/* An x86 instruction has at most 15 bytes: SDM vol. 2A, section 2.3.11. */
static void longest_instruction_has_room(void **state)
{
    (void)state;
    assert_true(sizeof(((struct register_dump *)NULL)->code) >= 15);
    assert_int_equal(sizeof(((struct register_dump *)NULL)->code), REGISTER_DUMP_CODE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_keep_their_order),
        cmocka_unit_test(full_dump_stays_as_it_is),
        cmocka_unit_test(name_that_just_fits_is_whole_and_a_longer_one_is_cut),
        cmocka_unit_test(new_dump_knows_of_no_code),
        cmocka_unit_test(longest_instruction_has_room),
    };

    return cmocka_run_group_tests_name("register_dump", tests, NULL, NULL);
}

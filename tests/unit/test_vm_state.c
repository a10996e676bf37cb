#include "unit_test.h"

#include <stdbool.h>

#include "shared/vm_state.h"

static const struct row {
    const char *name;
    bool is_terminal;
    bool next[VM_STATE_COUNT]; /* in the order of enum vm_state */
} rows[VM_STATE_COUNT] = {
    /* may become:           starting running paused stopping exited failed lost */
    [VM_STARTING] = { "starting", false, { 0, 1, 0, 1, 1, 1, 1 } },
    [VM_RUNNING] = { "running", false, { 0, 0, 1, 1, 1, 1, 1 } },
    [VM_PAUSED] = { "paused", false, { 0, 1, 0, 1, 1, 1, 1 } },
    [VM_STOPPING] = { "stopping", false, { 0, 0, 0, 0, 1, 1, 1 } },
    [VM_EXITED] = { "exited", true, { 0 } },
    [VM_FAILED] = { "failed", true, { 0 } },
    [VM_LOST] = { "lost", true, { 0 } },
};

static void each_state_has_the_word_of_the_wire(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VM_STATE_COUNT; i++)
        assert_string_equal(vm_state_to_string((enum vm_state)i), rows[i].name);
}

static void three_states_are_terminal(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VM_STATE_COUNT; i++)
        assert_int_equal(vm_state_is_terminal((enum vm_state)i), rows[i].is_terminal);
}

static void states_change_as_the_life_cycle_says_and_no_other_way(void **state)
{
    (void)state;
    for (unsigned from = 0; from < VM_STATE_COUNT; from++)
        for (unsigned to = 0; to < VM_STATE_COUNT; to++)
            if (vm_state_may_become((enum vm_state)from, (enum vm_state)to) != rows[from].next[to])
                fail_msg("%s -> %s", rows[from].name, rows[to].name);
}

/* State files keep the numbers: an old file must not be read with new ones. */
static void numbers_kept_in_state_files_do_not_change(void **state)
{
    (void)state;
    assert_int_equal(VM_STARTING, 0);
    assert_int_equal(VM_RUNNING, 1);
    assert_int_equal(VM_PAUSED, 2);
    assert_int_equal(VM_STOPPING, 3);
    assert_int_equal(VM_EXITED, 4);
    assert_int_equal(VM_FAILED, 5);
    assert_int_equal(VM_LOST, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_the_word_of_the_wire),
        cmocka_unit_test(three_states_are_terminal),
        cmocka_unit_test(states_change_as_the_life_cycle_says_and_no_other_way),
        cmocka_unit_test(numbers_kept_in_state_files_do_not_change),
    };

    return cmocka_run_group_tests_name("vm_state", tests, NULL, NULL);
}

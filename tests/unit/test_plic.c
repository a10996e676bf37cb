#include "unit_test.h"

#include "device/plic.h"

/* Offsets: RISC-V PLIC Specification 1.0.0, "Memory Map". */
enum {
    PENDING = 0x1000,
    ENABLE = 0x2000,
    ENABLE_STRIDE = 0x80,
    THRESHOLD = 0x200000,
    CLAIM = 0x200004,
    CONTEXT_STRIDE = 0x1000,

    HARTS = 2,
    SOURCE = 10,
    OTHER = 3,
};

struct wired {
    struct plic plic;
    struct bus bus;
    bool external[HARTS];
    unsigned changes; /* of any hart's */
};

static void set_external(void *context, unsigned hart, bool level)
{
    struct wired *wired = context;

    assert_true(hart < HARTS);
    assert_int_not_equal(wired->external[hart], level);
    wired->external[hart] = level;
    wired->changes++;
}

static uint32_t get(struct wired *wired, uint64_t offset)
{
    uint32_t value = 0;

    bus_read(&wired->bus, offset, &value, 4);
    return value;
}

static void put(struct wired *wired, uint64_t offset, uint32_t value)
{
    bus_write(&wired->bus, offset, &value, 4);
}

static void set_up_reset(struct wired *wired)
{
    *wired = (struct wired){ .changes = 0 };
    plic_init(&wired->plic, HARTS, set_external, wired);
    bus_add(&wired->bus, (struct bus_range){ .base = 0,
                                             .size = PLIC_SIZE,
                                             .read_wide = plic_read,
                                             .write_wide = plic_write,
                                             .widths = PLIC_WIDTHS,
                                             .device = &wired->plic });
}

/* SOURCE has priority 1, OTHER 2; hart 0 takes both. */
static void set_up(struct wired *wired)
{
    set_up_reset(wired);
    put(wired, 4 * SOURCE, 1);
    put(wired, 4 * OTHER, 2);
    put(wired, ENABLE, 1u << SOURCE | 1u << OTHER);
}

static void after_reset_nothing_comes_through(void **state)
{
    struct wired wired;

    (void)state;
    set_up_reset(&wired);
    plic_set(&wired.plic, SOURCE, true);
    assert_int_equal(wired.changes, 0);
    assert_int_equal(get(&wired, PENDING), 1u << SOURCE);
    assert_int_equal(get(&wired, CLAIM), 0);
}

static void an_interrupt_is_claimed_and_completed(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    plic_set(&wired.plic, SOURCE, true);
    assert_true(wired.external[0]);
    assert_false(wired.external[1]);
    assert_int_equal(get(&wired, CLAIM), SOURCE);
    assert_false(wired.external[0]);
    assert_int_equal(get(&wired, PENDING), 0);
    plic_set(&wired.plic, SOURCE, false);
    put(&wired, CLAIM, SOURCE);
    assert_false(wired.external[0]);
    assert_int_equal(get(&wired, CLAIM), 0);
}

static void a_level_that_stays_comes_again_once_completed(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    plic_set(&wired.plic, SOURCE, true);
    assert_int_equal(get(&wired, CLAIM), SOURCE);
    assert_int_equal(get(&wired, CLAIM), 0);
    put(&wired, CLAIM, SOURCE);
    assert_true(wired.external[0]);
    assert_int_equal(get(&wired, CLAIM), SOURCE);
}

static void a_level_that_goes_takes_its_interrupt_back(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    plic_set(&wired.plic, SOURCE, true);
    plic_set(&wired.plic, SOURCE, false);
    assert_false(wired.external[0]);
    assert_int_equal(get(&wired, CLAIM), 0);
}

static void the_highest_priority_is_claimed_first(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    plic_set(&wired.plic, SOURCE, true);
    plic_set(&wired.plic, OTHER, true);
    assert_int_equal(get(&wired, CLAIM), OTHER);
    assert_true(wired.external[0]);
    assert_int_equal(get(&wired, CLAIM), SOURCE);
    assert_false(wired.external[0]);
}

static void of_equal_priorities_the_lowest_number_is_first(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    put(&wired, 4 * SOURCE, 2);
    plic_set(&wired.plic, SOURCE, true);
    plic_set(&wired.plic, OTHER, true);
    assert_int_equal(get(&wired, CLAIM), OTHER);
}

static void priority_0_is_never(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    put(&wired, 4 * SOURCE, 0);
    plic_set(&wired.plic, SOURCE, true);
    assert_false(wired.external[0]);
    assert_int_equal(get(&wired, CLAIM), 0);
}

static void the_threshold_masks_what_is_not_above_it(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    put(&wired, THRESHOLD, 1);
    plic_set(&wired.plic, SOURCE, true);
    assert_false(wired.external[0]);
    put(&wired, THRESHOLD, 0);
    assert_true(wired.external[0]);
    put(&wired, THRESHOLD, 1);
    assert_false(wired.external[0]);
    plic_set(&wired.plic, OTHER, true);
    assert_true(wired.external[0]);
}

static void what_is_masked_by_the_threshold_can_be_claimed(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    put(&wired, THRESHOLD, PLIC_PRIORITY_MAX);
    plic_set(&wired.plic, SOURCE, true);
    assert_false(wired.external[0]);
    assert_int_equal(get(&wired, CLAIM), SOURCE);
}

static void what_is_pending_comes_once_it_may(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    put(&wired, ENABLE, 0);
    put(&wired, 4 * SOURCE, 0);
    plic_set(&wired.plic, SOURCE, true);
    put(&wired, ENABLE, 1u << SOURCE);
    assert_false(wired.external[0]);
    put(&wired, 4 * SOURCE, 1);
    assert_true(wired.external[0]);
    put(&wired, ENABLE, 0);
    assert_false(wired.external[0]);
}

static void completion_of_what_was_disabled_meanwhile_is_ignored(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    plic_set(&wired.plic, SOURCE, true);
    assert_int_equal(get(&wired, CLAIM), SOURCE);
    put(&wired, ENABLE, 0);
    put(&wired, CLAIM, SOURCE);
    put(&wired, ENABLE, 1u << SOURCE);
    assert_false(wired.external[0]);
    put(&wired, CLAIM, SOURCE);
    assert_true(wired.external[0]);
}

static void a_level_that_rises_while_it_is_served_comes_after(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    plic_set(&wired.plic, SOURCE, true);
    assert_int_equal(get(&wired, CLAIM), SOURCE);
    plic_set(&wired.plic, SOURCE, false);
    plic_set(&wired.plic, SOURCE, true);
    assert_false(wired.external[0]);
    assert_int_equal(get(&wired, PENDING), 0);
    put(&wired, CLAIM, SOURCE);
    assert_true(wired.external[0]);
}

static void each_context_has_its_own_enables(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    put(&wired, ENABLE, 0);
    put(&wired, ENABLE + ENABLE_STRIDE, 1u << SOURCE);
    plic_set(&wired.plic, SOURCE, true);
    assert_false(wired.external[0]);
    assert_true(wired.external[1]);
    assert_int_equal(get(&wired, CLAIM), 0);
    assert_int_equal(get(&wired, CLAIM + CONTEXT_STRIDE), SOURCE);
    put(&wired, CLAIM, SOURCE); /* not enabled there: ignored */
    assert_false(wired.external[1]);
    put(&wired, CLAIM + CONTEXT_STRIDE, SOURCE);
    assert_true(wired.external[1]);
}

static void both_harts_hear_and_one_claims(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    put(&wired, ENABLE + ENABLE_STRIDE, 1u << SOURCE);
    plic_set(&wired.plic, SOURCE, true);
    assert_true(wired.external[0] && wired.external[1]);
    assert_int_equal(get(&wired, CLAIM + CONTEXT_STRIDE), SOURCE);
    assert_false(wired.external[0] || wired.external[1]);
    assert_int_equal(get(&wired, CLAIM), 0);
}

static void registers_read_back(void **state)
{
    struct wired wired;

    (void)state;
    set_up(&wired);
    put(&wired, 4 * SOURCE, 0xff);
    put(&wired, THRESHOLD + CONTEXT_STRIDE, 5);
    put(&wired, ENABLE + ENABLE_STRIDE, UINT32_MAX);
    put(&wired, 0, 7);
    assert_int_equal(get(&wired, 4 * SOURCE), PLIC_PRIORITY_MAX);
    assert_int_equal(get(&wired, THRESHOLD + CONTEXT_STRIDE), 5);
    assert_int_equal(get(&wired, ENABLE + ENABLE_STRIDE), UINT32_MAX - 1);
    assert_int_equal(get(&wired, 0), 0);
}

static void nothing_else_is_there(void **state)
{
    static const uint64_t offsets[] = {
        4 * PLIC_SOURCES,
        ENABLE + 4,
        ENABLE + HARTS * ENABLE_STRIDE,
        THRESHOLD + 8,
        THRESHOLD + HARTS * CONTEXT_STRIDE,
        CLAIM + HARTS * CONTEXT_STRIDE,
        PLIC_SIZE - 4,
    };
    struct wired wired;

    (void)state;
    set_up(&wired);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        put(&wired, offsets[i], UINT32_MAX);
        assert_int_equal(get(&wired, offsets[i]), 0);
    }
    put(&wired, CLAIM, PLIC_SOURCES); /* no such source */
    assert_int_equal(wired.changes, 0);
}

static void narrower_writes_are_ignored(void **state)
{
    const uint32_t value = 7;
    struct wired wired;

    (void)state;
    set_up(&wired);
    bus_write(&wired.bus, 4 * SOURCE, &value, 1);
    bus_write(&wired.bus, 4 * SOURCE, &value, 2);
    bus_write(&wired.bus, 4 * SOURCE + 2, &value, 2);
    assert_int_equal(get(&wired, 4 * SOURCE), 1);
}

static void narrower_reads_claim_nothing(void **state)
{
    struct wired wired;
    uint32_t value = 0;

    (void)state;
    set_up(&wired);
    plic_set(&wired.plic, SOURCE, true);
    bus_read(&wired.bus, CLAIM, &value, 1);
    assert_int_equal(value, 0xff);
    bus_read(&wired.bus, CLAIM, &value, 2);
    assert_int_equal(value, 0xffff);
    assert_int_equal(get(&wired, CLAIM), SOURCE);
}

static void what_begins_within_a_register_is_no_access_to_it(void **state)
{
    const uint32_t value = UINT32_MAX;
    struct wired wired;
    uint32_t read = 1;

    (void)state;
    set_up(&wired);
    bus_write(&wired.bus, 4 * SOURCE + 2, &value, 4);
    bus_read(&wired.bus, 4 * SOURCE + 2, &read, 4);
    assert_int_equal(read, 0);
    assert_int_equal(get(&wired, 4 * SOURCE), 1);
}

static void a_double_word_is_two_registers(void **state)
{
    const uint64_t priorities = UINT64_C(5) << 32 | 3;
    struct wired wired;
    uint64_t value = 0;

    (void)state;
    set_up(&wired);
    bus_write(&wired.bus, 4 * SOURCE, &priorities, 8);
    assert_int_equal(get(&wired, 4 * SOURCE), 3);
    assert_int_equal(get(&wired, 4 * SOURCE + 4), 5);
    bus_read(&wired.bus, 4 * SOURCE, &value, 8);
    assert_int_equal(value, priorities);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_reset_nothing_comes_through),
        cmocka_unit_test(an_interrupt_is_claimed_and_completed),
        cmocka_unit_test(a_level_that_stays_comes_again_once_completed),
        cmocka_unit_test(a_level_that_goes_takes_its_interrupt_back),
        cmocka_unit_test(the_highest_priority_is_claimed_first),
        cmocka_unit_test(of_equal_priorities_the_lowest_number_is_first),
        cmocka_unit_test(priority_0_is_never),
        cmocka_unit_test(the_threshold_masks_what_is_not_above_it),
        cmocka_unit_test(what_is_masked_by_the_threshold_can_be_claimed),
        cmocka_unit_test(what_is_pending_comes_once_it_may),
        cmocka_unit_test(completion_of_what_was_disabled_meanwhile_is_ignored),
        cmocka_unit_test(a_level_that_rises_while_it_is_served_comes_after),
        cmocka_unit_test(each_context_has_its_own_enables),
        cmocka_unit_test(both_harts_hear_and_one_claims),
        cmocka_unit_test(registers_read_back),
        cmocka_unit_test(nothing_else_is_there),
        cmocka_unit_test(narrower_writes_are_ignored),
        cmocka_unit_test(narrower_reads_claim_nothing),
        cmocka_unit_test(what_begins_within_a_register_is_no_access_to_it),
        cmocka_unit_test(a_double_word_is_two_registers),
    };

    return cmocka_run_group_tests_name("plic", tests, NULL, NULL);
}

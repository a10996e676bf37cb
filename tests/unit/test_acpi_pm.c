/*
 * "Section" means the ACPI specification, version 6.4.
 */
#include "unit_test.h"

#include "device/acpi_pm.h"
#include "kvm/bus.h"

enum { BASE = 0x600, STATUS = BASE, ENABLE = BASE + 2, CONTROL = BASE + 4, TIMER = BASE + 8 };

#define SECOND INT64_C(1000000000)

struct machine_end {
    struct guest_end end;
    struct acpi_pm device;
    struct bus bus;
    int64_t now_ns;
    int64_t step_ns; /* how much time passes with each look at the clock */
};

static int64_t now_ns(void *context)
{
    struct machine_end *machine = context;

    machine->now_ns += machine->step_ns;
    return machine->now_ns;
}

static void set_up(struct machine_end *machine)
{
    *machine = (struct machine_end){ 0 };
    acpi_pm_init(&machine->device, &machine->end,
                 &(struct acpi_pm_clock){ .now_ns = now_ns, .context = machine });
    acpi_pm_reset(&machine->device);
    bus_add(&machine->bus, (struct bus_range){ .base = BASE,
                                               .size = ACPI_PM_REGISTERS_SIZE,
                                               .read = acpi_pm_read,
                                               .write = acpi_pm_write,
                                               .device = &machine->device });
    bus_add(&machine->bus, (struct bus_range){ .base = TIMER,
                                               .size = ACPI_PM_TIMER_SIZE,
                                               .read_wide = acpi_pm_read_timer,
                                               .widths = ACPI_PM_TIMER_WIDTHS,
                                               .device = &machine->device });
}

static void out(struct machine_end *machine, uint64_t port, uint32_t value, unsigned size)
{
    bus_write(&machine->bus, port, &value, size);
}

static uint32_t in(struct machine_end *machine, uint64_t port, unsigned size)
{
    uint32_t value = 0;

    bus_read(&machine->bus, port, &value, size);
    return value;
}

/* Section 4.8.3.2.1: SLP_TYP in bits 10 to 12, SLP_EN bit 13 */
static void sleep_of_type_5_powers_the_machine_off(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    out(&machine, CONTROL, 5 << 10, 2);
    assert_int_equal(machine.end.reason, GUEST_END_NONE);
    out(&machine, CONTROL, 1 << 13 | 5 << 10, 2);
    assert_int_equal(machine.end.reason, GUEST_END_GUEST_EXIT);
    assert_int_equal(machine.end.code, 0);
    assert_string_equal(machine.end.message, "the guest powered the machine off");
}

static void sleep_of_other_types_is_ignored(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    for (uint32_t type = 0; type < 8; type++)
        if (type != ACPI_PM_SLEEP_TYPE_OFF)
            out(&machine, CONTROL, 1 << 13 | type << 10, 2);
    assert_int_equal(machine.end.reason, GUEST_END_NONE);
}

/* Section 4.8.2.5: no SMI_CMD, and so always in ACPI mode */
static void acpi_mode_is_on_and_cannot_be_left(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    assert_int_equal(in(&machine, CONTROL, 2), 1);
    out(&machine, CONTROL, 0, 2);
    assert_int_equal(in(&machine, CONTROL, 2), 1);
}

/* GBL_RLS and SLP_EN are written only */
static void control_reads_what_was_written_but_for_its_triggers(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    out(&machine, CONTROL, 1 << 13 | 3 << 10 | 1 << 2 | 1 << 1, 2);
    assert_int_equal(in(&machine, CONTROL, 2), 3 << 10 | 1 << 1 | 1);
}

/* Linux checks that an event it has enabled reads as enabled */
static void enable_keeps_what_was_written(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    assert_int_equal(in(&machine, ENABLE, 2), 0);
    out(&machine, ENABLE, 0x0121, 2);
    assert_int_equal(in(&machine, ENABLE, 2), 0x0121);
    assert_int_equal(in(&machine, STATUS, 4), 0x01210000);
}

static void no_status_is_ever_set(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    out(&machine, ENABLE, 0xffff, 2);
    out(&machine, STATUS, 0xffff, 2);
    machine.now_ns = 3000 * SECOND; /* two overflows of the timer */
    in(&machine, TIMER, 4);
    assert_int_equal(in(&machine, STATUS, 2), 0);
}

/* Section 4.8.3.3 */
static void timer_counts_3579545_a_second(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    assert_int_equal(in(&machine, TIMER, 4), 0);
    machine.now_ns = SECOND;
    assert_int_equal(in(&machine, TIMER, 4), 3579545);
    machine.now_ns = SECOND * 3 / 2;
    assert_int_equal(in(&machine, TIMER, 4), 3579545 + 1789772);
}

static void timer_goes_on_after_32_bits_and_after_years(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    machine.now_ns = 1200 * SECOND;
    assert_int_equal(in(&machine, TIMER, 4), (uint32_t)(1200 * INT64_C(3579545)));
    machine.now_ns = 100000000 * SECOND;
    assert_int_equal(in(&machine, TIMER, 4), (uint32_t)(100000000 * INT64_C(3579545)));
}

static void timer_is_read_in_one_piece(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    machine.step_ns = SECOND;
    assert_int_equal(in(&machine, TIMER, 4), 3579545);
    assert_int_equal(in(&machine, TIMER, 4), 2 * 3579545);
}

static void part_of_the_timer_is_as_the_timer_is_then(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    machine.now_ns = 1000 * SECOND; /* 0xd55b85a8 */
    assert_int_equal(in(&machine, TIMER + 3, 1), 0xd5);
    assert_int_equal(in(&machine, TIMER + 1, 1), 0x85);
    assert_int_equal(in(&machine, TIMER + 2, 2), 0xd55b);
    machine.now_ns = 0;
    assert_int_equal(in(&machine, TIMER + 3, 1), 0);
}

static void reading_across_the_timers_edges_gives_each_side_its_own(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    machine.now_ns = 1000 * SECOND;
    assert_int_equal(in(&machine, TIMER - 2, 4), 0x85a80000);
    assert_int_equal(in(&machine, TIMER + 2, 4), 0xffffd55b);
}

static void timer_cannot_be_written(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    out(&machine, TIMER, 0x12345678, 4);
    assert_int_equal(in(&machine, TIMER, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleep_of_type_5_powers_the_machine_off),
        cmocka_unit_test(sleep_of_other_types_is_ignored),
        cmocka_unit_test(acpi_mode_is_on_and_cannot_be_left),
        cmocka_unit_test(control_reads_what_was_written_but_for_its_triggers),
        cmocka_unit_test(enable_keeps_what_was_written),
        cmocka_unit_test(no_status_is_ever_set),
        cmocka_unit_test(timer_counts_3579545_a_second),
        cmocka_unit_test(timer_goes_on_after_32_bits_and_after_years),
        cmocka_unit_test(timer_is_read_in_one_piece),
        cmocka_unit_test(part_of_the_timer_is_as_the_timer_is_then),
        cmocka_unit_test(reading_across_the_timers_edges_gives_each_side_its_own),
        cmocka_unit_test(timer_cannot_be_written),
    };

    return cmocka_run_group_tests_name("acpi_pm", tests, NULL, NULL);
}

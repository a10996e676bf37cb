#include "unit_test.h"

#include "device/i8042.h"

enum { OUTPUT_FULL = 0x01, INPUT_FULL = 0x02, TIMEOUT = 0x40 };

struct machine_end {
    struct guest_end end;
    struct i8042 i8042;
    bool level; /* of the interrupt line */
};

static void set_line(void *context, unsigned irq, bool level)
{
    struct machine_end *machine = context;

    assert_int_equal(irq, 1);
    assert_int_not_equal(level, machine->level);
    machine->level = level;
}

static void set_up(struct machine_end *machine)
{
    const struct interrupt_line irq = { .set = set_line, .context = machine, .irq = 1 };

    *machine = (struct machine_end){ .level = false };
    i8042_init(&machine->i8042, &machine->end, &irq);
    i8042_reset(&machine->i8042);
}

static void command(struct machine_end *machine, uint8_t value)
{
    i8042_write_command(&machine->i8042, 0, value);
}

static void data(struct machine_end *machine, uint8_t value)
{
    i8042_write_data(&machine->i8042, 0, value);
}

static uint8_t status(struct machine_end *machine)
{
    return i8042_read_status(&machine->i8042, 0);
}

static uint8_t read(struct machine_end *machine)
{
    return i8042_read_data(&machine->i8042, 0);
}

static void assert_answer(struct machine_end *machine, uint8_t expected)
{
    assert_int_equal(status(machine) & (OUTPUT_FULL | INPUT_FULL), OUTPUT_FULL);
    assert_int_equal(read(machine), expected);
    assert_int_equal(status(machine) & OUTPUT_FULL, 0);
}

static void assert_reset(struct machine_end *machine)
{
    assert_int_equal(machine->end.reason, GUEST_END_GUEST_EXIT);
    assert_int_equal(machine->end.code, 0);
    assert_string_equal(machine->end.message,
                        "the guest reset the machine (by the keyboard controller, port 0x64)");
}

static void it_begins_ready_unlocked_and_with_no_output(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    assert_int_equal(status(&machine), 0x14);
    assert_false(machine.level);
}

static void command_0xfe_resets_the_machine(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    assert_int_equal(status(&machine) & INPUT_FULL, 0);
    command(&machine, 0xfe);
    assert_reset(&machine);
}

static void any_pulse_of_the_reset_line_resets_the_machine(void **state)
{
    (void)state;
    for (unsigned pulse = 0xf0; pulse <= 0xff; pulse++) {
        struct machine_end machine;

        set_up(&machine);
        command(&machine, (uint8_t)pulse);
        assert_int_equal(machine.end.reason, pulse & 1 ? GUEST_END_NONE : GUEST_END_GUEST_EXIT);
    }
}

static void output_port_without_its_reset_bit_resets_the_machine(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0xd1);
    data(&machine, 0xdf);
    assert_int_equal(machine.end.reason, GUEST_END_NONE);
    command(&machine, 0xd1);
    data(&machine, 0xde);
    assert_reset(&machine);
}

static void no_command_is_ever_waited_for(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        struct machine_end machine;

        set_up(&machine);
        command(&machine, (uint8_t)value);
        assert_int_equal(status(&machine) & INPUT_FULL, 0);
        data(&machine, 0x5a);
        assert_int_equal(status(&machine) & INPUT_FULL, 0);
    }
}

static void status_tells_a_command_from_data(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0x60);
    assert_int_equal(status(&machine) & 0x08, 0x08);
    data(&machine, 0x45);
    assert_int_equal(status(&machine) & 0x08, 0);
}

static void self_test_and_keyboard_test_pass(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0xaa);
    assert_answer(&machine, 0x55);
    command(&machine, 0xab);
    assert_answer(&machine, 0x00);
}

static void configuration_reads_back_as_written(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0x20);
    assert_answer(&machine, 0x65);
    command(&machine, 0x60);
    data(&machine, 0x74);
    command(&machine, 0x20);
    assert_answer(&machine, 0x74);
}

static void ports_are_switched_in_the_configuration(void **state)
{
    static const struct {
        uint8_t command, expected;
    } rows[] = { { 0xad, 0x10 }, { 0xa7, 0x30 }, { 0xae, 0x20 }, { 0xa8, 0x00 } };
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0x60);
    data(&machine, 0x00);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        command(&machine, rows[i].command);
        command(&machine, 0x20);
        assert_answer(&machine, rows[i].expected);
    }
}

static void a20_is_on_and_remembered(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0xd0);
    assert_answer(&machine, 0xcf);
    command(&machine, 0xdd);
    command(&machine, 0xd0);
    assert_answer(&machine, 0xcd);
    command(&machine, 0xdf);
    command(&machine, 0xd0);
    assert_answer(&machine, 0xcf);
    command(&machine, 0xd1);
    data(&machine, 0xdd);
    command(&machine, 0xd0);
    assert_answer(&machine, 0xdd);
    assert_int_equal(machine.end.reason, GUEST_END_NONE);
}

static void input_port_says_unlocked(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0xc0);
    assert_answer(&machine, 0x80);
}

/* i8042_check_aux() of Linux: looped through the mouse's port, the byte must not come as a mouse's;
 * then the test of that port must fail, with something other than 0, 0xfa and 0xff. */
static void linux_finds_at_once_that_there_is_no_second_port(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0xd3);
    data(&machine, 0x5a);
    assert_int_equal(status(&machine) & (OUTPUT_FULL | 0x20), OUTPUT_FULL);
    assert_answer(&machine, 0x5a);
    command(&machine, 0xa9);
    assert_answer(&machine, 0x01);
}

static void keyboard_output_can_be_written(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0xd2);
    data(&machine, 0x1c);
    assert_int_equal(status(&machine) & TIMEOUT, 0);
    assert_answer(&machine, 0x1c);
}

static void byte_for_the_keyboard_or_mouse_is_answered_by_nobody(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    data(&machine, 0xf2);
    assert_int_equal(status(&machine) & TIMEOUT, TIMEOUT);
    assert_answer(&machine, 0xfe);
    assert_int_equal(status(&machine) & TIMEOUT, 0);
    command(&machine, 0xd4);
    data(&machine, 0xff);
    assert_int_equal(status(&machine) & TIMEOUT, TIMEOUT);
    assert_answer(&machine, 0xfe);
}

static void command_without_its_data_is_forgotten_with_the_next(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0xd1);
    command(&machine, 0x60);
    data(&machine, 0x00);
    assert_int_equal(machine.end.reason, GUEST_END_NONE);
    data(&machine, 0x00);
    assert_int_equal(machine.end.reason, GUEST_END_NONE);
    assert_answer(&machine, 0xfe);
}

static void output_interrupts_until_it_is_read(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    data(&machine, 0xf2);
    assert_true(machine.level);
    read(&machine);
    assert_false(machine.level);
}

static void configuration_enables_the_interrupt(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    command(&machine, 0x60);
    data(&machine, 0x44);
    data(&machine, 0xf2);
    assert_false(machine.level);
    command(&machine, 0x60);
    data(&machine, 0x45);
    assert_true(machine.level);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_ready_unlocked_and_with_no_output),
        cmocka_unit_test(command_0xfe_resets_the_machine),
        cmocka_unit_test(any_pulse_of_the_reset_line_resets_the_machine),
        cmocka_unit_test(output_port_without_its_reset_bit_resets_the_machine),
        cmocka_unit_test(no_command_is_ever_waited_for),
        cmocka_unit_test(status_tells_a_command_from_data),
        cmocka_unit_test(self_test_and_keyboard_test_pass),
        cmocka_unit_test(configuration_reads_back_as_written),
        cmocka_unit_test(ports_are_switched_in_the_configuration),
        cmocka_unit_test(a20_is_on_and_remembered),
        cmocka_unit_test(input_port_says_unlocked),
        cmocka_unit_test(linux_finds_at_once_that_there_is_no_second_port),
        cmocka_unit_test(keyboard_output_can_be_written),
        cmocka_unit_test(byte_for_the_keyboard_or_mouse_is_answered_by_nobody),
        cmocka_unit_test(command_without_its_data_is_forgotten_with_the_next),
        cmocka_unit_test(output_interrupts_until_it_is_read),
        cmocka_unit_test(configuration_enables_the_interrupt),
    };

    return cmocka_run_group_tests_name("i8042", tests, NULL, NULL);
}

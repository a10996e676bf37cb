/*
 * "Section" and "Table" mean the PC16550D data sheet.
 */
#include "unit_test.h"

#include "captured_console.h"
#include "device/uart16550.h"

/* Table II */
enum { THR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { DLL = 0, DLM = 1, DLAB = 0x80 };
enum { ETBEI = 0x02, NO_INTERRUPT = 0x01, THR_EMPTY = 0x02, LOOP = 0x10 };

struct machine_end {
    struct captured_console captured;
    struct uart16550 uart;
};

static void reset(struct machine_end *end)
{
    captured_console_init(&end->captured);
    uart16550_init(&end->uart, &end->captured.console);
}

static void out(struct machine_end *end, uint64_t offset, uint8_t value)
{
    uart16550_write(&end->uart, offset, value);
}

static uint8_t in(struct machine_end *end, uint64_t offset)
{
    return uart16550_read(&end->uart, offset);
}

/* Table I */
static void registers_after_reset_are_as_the_data_sheet_says(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    assert_int_equal(in(&end, IER), 0x00);
    assert_int_equal(in(&end, IIR), 0x01);
    assert_int_equal(in(&end, LCR), 0x00);
    assert_int_equal(in(&end, MCR), 0x00);
    assert_int_equal(in(&end, LSR), 0x60);
    assert_int_equal(in(&end, MSR) & 0x0f, 0x00);
}

static void each_byte_written_is_sent_at_once_and_in_order(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, THR, 'H');
    assert_printed(&end.captured, "H");
    out(&end, THR, 'i');
    out(&end, THR, '\n');
    assert_printed(&end.captured, "i\n");
}

static void every_byte_value_is_sent_as_it_is(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    for (int value = 0; value < 256; value++)
        out(&end, THR, (uint8_t)value);
    assert_int_equal(end.captured.length, 256);
    for (int value = 0; value < 256; value++)
        assert_int_equal((uint8_t)end.captured.text[value], value);
}

static void receiver_reads_0_while_it_has_no_byte(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, THR, 'x');
    assert_int_equal(in(&end, THR), 0);
}

/* Sections 8.1 (bit 7) and 8.3 */
static void dlab_turns_the_first_two_registers_into_the_divisor(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ETBEI);
    out(&end, LCR, DLAB | 0x03);
    out(&end, DLL, 0x0c);
    out(&end, DLM, 0x01);
    assert_int_equal(in(&end, DLL), 0x0c);
    assert_int_equal(in(&end, DLM), 0x01);
    assert_printed(&end.captured, "");

    out(&end, LCR, 0x03);
    assert_int_equal(in(&end, IER), ETBEI);
    out(&end, THR, 'a');
    assert_printed(&end.captured, "a");

    out(&end, LCR, DLAB);
    assert_int_equal(in(&end, DLL), 0x0c);
    assert_int_equal(in(&end, DLM), 0x01);
}

static void dlab_leaves_the_other_registers_alone(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, LCR, DLAB);
    out(&end, MCR, 0x03);
    out(&end, SCR, 0x5a);
    assert_int_equal(in(&end, IIR), 0x01);
    assert_int_equal(in(&end, LCR), DLAB);
    assert_int_equal(in(&end, MCR), 0x03);
    assert_int_equal(in(&end, LSR), 0x60);
    assert_int_equal(in(&end, SCR), 0x5a);
}

/* Section 8.7: bits 4 to 7 are always 0 */
static void interrupt_enable_has_four_bits(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, 0xff);
    assert_int_equal(in(&end, IER), 0x0f);
}

/* Section 8.7, bit 1: the transmitter is empty when its interrupt is enabled */
static void enabling_the_transmit_interrupt_raises_it_at_once(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ETBEI);
    assert_int_equal(in(&end, IIR), THR_EMPTY);
}

/* Table IV: reset by reading the IIR, if it is the source */
static void reading_the_interrupt_id_answers_the_transmit_interrupt(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ETBEI);
    assert_int_equal(in(&end, IIR), THR_EMPTY);
    assert_int_equal(in(&end, IIR), NO_INTERRUPT);
}

static void each_byte_sent_raises_the_transmit_interrupt_again(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ETBEI);
    in(&end, IIR);
    for (int i = 0; i < 3; i++) {
        out(&end, THR, 'x');
        assert_int_equal(in(&end, IIR), THR_EMPTY);
        assert_int_equal(in(&end, IIR), NO_INTERRUPT);
    }
}

static void interrupt_that_is_not_enabled_is_not_reported(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, THR, 'x');
    assert_int_equal(in(&end, IIR), NO_INTERRUPT);
    out(&end, IER, 0x0d);
    assert_int_equal(in(&end, IIR), NO_INTERRUPT);
}

static void disabling_and_enabling_raises_the_transmit_interrupt_again(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ETBEI);
    in(&end, IIR);
    out(&end, IER, 0);
    assert_int_equal(in(&end, IIR), NO_INTERRUPT);
    out(&end, IER, ETBEI);
    assert_int_equal(in(&end, IIR), THR_EMPTY);
}

static void enabling_what_is_enabled_raises_nothing(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ETBEI);
    in(&end, IIR);
    out(&end, IER, ETBEI | 0x01);
    assert_int_equal(in(&end, IIR), NO_INTERRUPT);
}

/* Section 8.6: bits 6 and 7 are set when FCR0 is 1; this is how drivers tell a 16550 */
static void enabled_fifos_show_in_the_interrupt_id(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, FCR, 0xc7);
    assert_int_equal(in(&end, IIR), 0xc0 | NO_INTERRUPT);
    out(&end, IER, ETBEI);
    assert_int_equal(in(&end, IIR), 0xc0 | THR_EMPTY);
    out(&end, FCR, 0);
    assert_int_equal(in(&end, IIR), NO_INTERRUPT);
}

/* Section 8.1 */
static void line_control_keeps_all_its_bits(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    for (int value = 0; value < 256; value++) {
        out(&end, LCR, (uint8_t)value);
        assert_int_equal(in(&end, LCR), value);
    }
}

/* Section 8.4: THRE and TEMT; nothing is ever received, and no error with it */
static void line_status_says_empty_before_and_after_each_byte(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(in(&end, LSR), 0x60);
        out(&end, THR, 'x');
    }
    assert_int_equal(in(&end, LSR), 0x60);
}

static void status_registers_cannot_be_written(void **state)
{
    struct machine_end end;
    uint8_t modem;

    (void)state;
    reset(&end);
    modem = in(&end, MSR);
    out(&end, LSR, 0x00);
    out(&end, MSR, 0xff);
    assert_int_equal(in(&end, LSR), 0x60);
    assert_int_equal(in(&end, MSR), modem);
    assert_printed(&end.captured, "");
}

/* Section 8.8: bits 5 to 7 are always 0 */
static void modem_control_has_five_bits(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, 0xff);
    assert_int_equal(in(&end, MCR), 0x1f);
    out(&end, MCR, 0x0b);
    assert_int_equal(in(&end, MCR), 0x0b);
}

/* Section 8.9: CTS, DSR and DCD; a driver that waits for any of them may send */
static void modem_status_is_a_terminal_that_is_ready(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    assert_int_equal(in(&end, MSR), 0xb0);
    out(&end, MCR, 0x0f);
    assert_int_equal(in(&end, MSR), 0xb0);
}

/* Section 8.8, bit 4: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD */
static void loopback_leads_each_modem_output_to_its_input(void **state)
{
    static const struct {
        uint8_t output, input;
    } wires[] = { { 0x02, 0x10 }, { 0x01, 0x20 }, { 0x04, 0x40 }, { 0x08, 0x80 } };
    struct machine_end end;

    (void)state;
    reset(&end);
    for (unsigned outputs = 0; outputs < 16; outputs++) {
        uint8_t expected = 0;

        for (unsigned i = 0; i < 4; i++)
            if (outputs & wires[i].output)
                expected |= wires[i].input;
        out(&end, MCR, (uint8_t)(LOOP | outputs));
        assert_int_equal(in(&end, MSR) & 0xf0, expected);
    }
    out(&end, MCR, 0);
    assert_int_equal(in(&end, MSR) & 0xf0, 0xb0);
}

/* Section 8.8, bit 4: SOUT stays marking, interrupts go on */
static void loopback_sends_nothing_and_the_transmitter_still_empties(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ETBEI);
    in(&end, IIR);
    out(&end, MCR, LOOP);
    out(&end, THR, 'x');
    assert_printed(&end.captured, "");
    assert_int_equal(in(&end, LSR) & 0x60, 0x60);
    assert_int_equal(in(&end, IIR), THR_EMPTY);
    out(&end, MCR, 0);
    out(&end, THR, 'y');
    assert_printed(&end.captured, "y");
}

/* Section 8.10 */
static void scratch_register_holds_any_byte(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    for (int value = 0; value < 256; value++) {
        out(&end, SCR, (uint8_t)value);
        assert_int_equal(in(&end, SCR), value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_after_reset_are_as_the_data_sheet_says),
        cmocka_unit_test(each_byte_written_is_sent_at_once_and_in_order),
        cmocka_unit_test(every_byte_value_is_sent_as_it_is),
        cmocka_unit_test(receiver_reads_0_while_it_has_no_byte),
        cmocka_unit_test(dlab_turns_the_first_two_registers_into_the_divisor),
        cmocka_unit_test(dlab_leaves_the_other_registers_alone),
        cmocka_unit_test(interrupt_enable_has_four_bits),
        cmocka_unit_test(enabling_the_transmit_interrupt_raises_it_at_once),
        cmocka_unit_test(reading_the_interrupt_id_answers_the_transmit_interrupt),
        cmocka_unit_test(each_byte_sent_raises_the_transmit_interrupt_again),
        cmocka_unit_test(interrupt_that_is_not_enabled_is_not_reported),
        cmocka_unit_test(disabling_and_enabling_raises_the_transmit_interrupt_again),
        cmocka_unit_test(enabling_what_is_enabled_raises_nothing),
        cmocka_unit_test(enabled_fifos_show_in_the_interrupt_id),
        cmocka_unit_test(line_control_keeps_all_its_bits),
        cmocka_unit_test(line_status_says_empty_before_and_after_each_byte),
        cmocka_unit_test(status_registers_cannot_be_written),
        cmocka_unit_test(modem_control_has_five_bits),
        cmocka_unit_test(modem_status_is_a_terminal_that_is_ready),
        cmocka_unit_test(loopback_leads_each_modem_output_to_its_input),
        cmocka_unit_test(loopback_sends_nothing_and_the_transmitter_still_empties),
        cmocka_unit_test(scratch_register_holds_any_byte),
    };

    return cmocka_run_group_tests_name("uart16550", tests, NULL, NULL);
}

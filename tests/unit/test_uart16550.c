/*
 * "Section" and "Table" mean the PC16550D data sheet.
 */
#include "unit_test.h"

#include "captured_console.h"
#include "device/uart16550.h"

/* Table II */
enum { RBR = 0, THR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { DLL = 0, DLM = 1, DLAB = 0x80 };
enum { ERBFI = 0x01, ETBEI = 0x02, ELSI = 0x04, EDSSI = 0x08 };
enum { NO_INTERRUPT = 0x01, LINE_ERROR = 0x06, DATA = 0x04, TIMEOUT = 0x0c, THR_EMPTY = 0x02 };
enum { MODEM = 0x00, FIFOS_ON = 0xc0 };
enum {
    FIFO_ENABLE = 0x01,
    FIFO_RESET = 0x02,
    TRIGGER_4 = 0x40,
    TRIGGER_8 = 0x80,
    TRIGGER_14 = 0xc0
};
enum { RTS = 0x02, OUT1 = 0x04, OUT2 = 0x08, LOOP = 0x10 };
enum { DR = 0x01, OE = 0x02, THRE_TEMT = 0x60 };
enum { DDCD = 0x08, DCD = 0x80 };

struct machine_end {
    struct captured_console captured;
    struct uart16550 uart;
    bool level;     /* of the interrupt line */
    unsigned edges; /* times it rose */
};

static void set_line(void *context, unsigned irq, bool level)
{
    struct machine_end *end = context;

    assert_int_equal(irq, 4);
    assert_int_not_equal(level, end->level);
    end->level = level;
    end->edges += level;
}

static void reset(struct machine_end *end)
{
    const struct interrupt_line irq = { .set = set_line, .context = end, .irq = 4 };

    captured_console_init(&end->captured);
    uart16550_init(&end->uart, &end->captured.console, &irq);
    uart16550_reset(&end->uart);
    end->level = false;
    end->edges = 0;
}

static void type(struct machine_end *end, const char *text)
{
    end->captured.typed = text;
    uart16550_receive(&end->uart);
}

static void end_input(struct machine_end *end)
{
    end->captured.no_more_typed = true;
    uart16550_receive(&end->uart);
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

/* Section 8.4: THRE and TEMT */
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

static void typed_bytes_are_read_in_order(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    type(&end, "abc");
    assert_int_equal(in(&end, RBR), 'a');
    assert_int_equal(in(&end, RBR), 'b');
    assert_int_equal(in(&end, RBR), 'c');
    assert_int_equal(in(&end, RBR), 0);
}

/* Section 8.4, bit 0 */
static void data_ready_is_set_while_there_is_a_byte(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
    type(&end, "ab");
    assert_int_equal(in(&end, LSR), THRE_TEMT | DR);
    assert_int_equal(in(&end, LSR), THRE_TEMT | DR);
    in(&end, RBR);
    assert_int_equal(in(&end, LSR), THRE_TEMT | DR);
    in(&end, RBR);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
}

static void guest_that_looks_finds_input_nobody_told_of(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    end.captured.typed = "x";
    assert_int_equal(in(&end, LSR), THRE_TEMT | DR);
    assert_int_equal(in(&end, RBR), 'x');
}

static void divisor_hides_the_receiver(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, LCR, DLAB);
    type(&end, "x");
    assert_int_equal(in(&end, DLL), 0);
    out(&end, LCR, 0x03);
    assert_int_equal(in(&end, RBR), 'x');
}

static void without_fifo_it_takes_one_byte_at_a_time(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ERBFI);
    type(&end, "abc");
    assert_string_equal(end.captured.typed, "bc");
    assert_int_equal(in(&end, RBR), 'a');
    assert_string_equal(end.captured.typed, "c");
}

static void with_fifo_it_takes_16_bytes_and_leaves_the_rest(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, FCR, FIFO_ENABLE);
    out(&end, IER, ERBFI);
    type(&end, "0123456789abcdefghi");
    assert_string_equal(end.captured.typed, "ghi");
    assert_int_equal(in(&end, RBR), '0');
    assert_string_equal(end.captured.typed, "hi");
    for (const char *expected = "123456789abcdefghi"; *expected; expected++)
        assert_int_equal(in(&end, RBR), *expected);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
}

/* It would be lost when the guest, setting the UART up, clears the receiver. */
static void input_waits_outside_until_the_guest_is_interested(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    type(&end, "abc");
    out(&end, FCR, FIFO_ENABLE | FIFO_RESET);
    out(&end, MCR, OUT2);
    assert_string_equal(end.captured.typed, "abc");
    out(&end, IER, ERBFI);
    assert_string_equal(end.captured.typed, "");
}

/* Section 8.5, bit 1 */
static void resetting_the_receiver_drops_what_it_holds(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, FCR, FIFO_ENABLE);
    end.captured.typed = "abc";
    in(&end, LSR);
    out(&end, FCR, FIFO_ENABLE | FIFO_RESET);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
    assert_int_equal(in(&end, IIR), FIFOS_ON | NO_INTERRUPT);
}

/* Section 8.5, bit 0 */
static void switching_the_fifo_drops_what_the_receiver_holds(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    end.captured.typed = "a";
    in(&end, LSR);
    out(&end, FCR, FIFO_ENABLE);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
    end.captured.typed = "b";
    in(&end, LSR);
    out(&end, FCR, 0);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
}

static void setting_the_trigger_level_drops_nothing(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, FCR, FIFO_ENABLE);
    end.captured.typed = "ab";
    in(&end, LSR);
    out(&end, FCR, FIFO_ENABLE | TRIGGER_14);
    assert_int_equal(in(&end, RBR), 'a');
    assert_int_equal(in(&end, RBR), 'b');
}

/* Section 8.5, bit 0: it must be set when the others are written, or they are not */
static void fifo_control_without_the_enable_bit_sets_nothing(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, FCR, TRIGGER_14);
    out(&end, IER, ERBFI);
    type(&end, "a");
    assert_int_equal(in(&end, IIR), DATA);
}

static void receiver_interrupts_for_a_byte_until_it_is_read(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, OUT2);
    out(&end, IER, ERBFI);
    assert_false(end.level);
    type(&end, "a");
    assert_true(end.level);
    assert_int_equal(in(&end, IIR), DATA);
    assert_int_equal(in(&end, IIR), DATA);
    in(&end, RBR);
    assert_false(end.level);
    assert_int_equal(in(&end, IIR), NO_INTERRUPT);
}

static void receiver_does_not_interrupt_unless_enabled(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, OUT2);
    out(&end, IER, ETBEI | ELSI | EDSSI);
    in(&end, IIR);
    type(&end, "a");
    assert_false(end.level);
    out(&end, IER, ERBFI);
    assert_true(end.level);
}

/* A handler that reads one byte an interrupt, behind a controller that waits for edges. */
static void each_byte_read_makes_an_edge_for_the_next(void **state)
{
    static const uint8_t modes[] = { 0, FIFO_ENABLE, FIFO_ENABLE | TRIGGER_14 };

    (void)state;
    for (unsigned i = 0; i < sizeof(modes); i++) {
        struct machine_end end;

        reset(&end);
        out(&end, FCR, modes[i]);
        out(&end, MCR, OUT2);
        out(&end, IER, ERBFI);
        type(&end, "0123456789abcdefghi");
        for (unsigned read = 1; read <= 19; read++) {
            assert_true(end.level);
            assert_int_equal(end.edges, read);
            in(&end, RBR);
        }
        assert_false(end.level);
    }
}

/* Section 8.5, bits 6 and 7; Table IV */
static void fifo_interrupts_as_data_from_the_trigger_level_on(void **state)
{
    static const struct {
        uint8_t control;
        unsigned level;
    } rows[] = {
        { FIFO_ENABLE, 1 },
        { FIFO_ENABLE | TRIGGER_4, 4 },
        { FIFO_ENABLE | TRIGGER_8, 8 },
        { FIFO_ENABLE | TRIGGER_14, 14 },
    };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct machine_end end;

        reset(&end);
        out(&end, FCR, rows[i].control);
        out(&end, IER, ERBFI);
        type(&end, "0123456789abcdef");
        for (unsigned held = 16; held > 0; held--) {
            assert_int_equal(in(&end, IIR), FIFOS_ON | (held >= rows[i].level ? DATA : TIMEOUT));
            in(&end, RBR);
        }
        assert_int_equal(in(&end, IIR), FIFOS_ON | NO_INTERRUPT);
    }
}

/* Section 8.11: there is no bit clock that could measure four characters' time */
static void bytes_below_the_trigger_level_time_out_at_once(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, FCR, FIFO_ENABLE | TRIGGER_8);
    out(&end, MCR, OUT2);
    out(&end, IER, ERBFI);
    type(&end, "a");
    assert_true(end.level);
    assert_int_equal(in(&end, IIR), FIFOS_ON | TIMEOUT);
    in(&end, RBR);
    assert_false(end.level);
}

/* As in QEMU: some kernels never set OUT2. */
static void interrupts_do_without_out2(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ERBFI);
    type(&end, "a");
    assert_int_equal(in(&end, IIR), DATA);
    assert_true(end.level);
    out(&end, MCR, OUT2);
    out(&end, MCR, 0);
    assert_true(end.level);
}

static void machine_without_controller_can_do_all_the_same(void **state)
{
    const struct interrupt_line none = { .set = NULL };
    struct machine_end end;

    (void)state;
    reset(&end);
    uart16550_init(&end.uart, &end.captured.console, &none);
    uart16550_reset(&end.uart);
    out(&end, MCR, OUT2);
    out(&end, IER, ERBFI);
    type(&end, "a");
    assert_int_equal(in(&end, IIR), DATA);
}

/* The line drops while THR is full: edge-triggered controllers see each byte sent. */
static void each_byte_sent_makes_an_edge(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, OUT2);
    out(&end, IER, ETBEI);
    for (unsigned sent = 1; sent <= 3; sent++) {
        assert_int_equal(end.edges, sent);
        out(&end, THR, 'x');
    }
    in(&end, IIR);
    assert_false(end.level);
}

/* Table IV */
static void interrupts_are_told_by_their_priority(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, LOOP);
    in(&end, MSR);
    out(&end, THR, 'a');
    out(&end, THR, 'b');
    out(&end, MCR, LOOP | RTS | OUT2);
    out(&end, IER, ERBFI | ETBEI | ELSI | EDSSI);

    assert_int_equal(in(&end, IIR), LINE_ERROR);
    in(&end, LSR);
    assert_int_equal(in(&end, IIR), DATA);
    in(&end, RBR);
    assert_int_equal(in(&end, IIR), THR_EMPTY);
    assert_int_equal(in(&end, IIR), MODEM);
    assert_true(end.level);
    in(&end, MSR);
    assert_false(end.level);
    assert_int_equal(in(&end, IIR), NO_INTERRUPT);
}

/* Table IV: only if it is the source of the interrupt */
static void reading_the_interrupt_id_for_data_keeps_the_transmit_interrupt(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ERBFI | ETBEI);
    type(&end, "a");
    assert_int_equal(in(&end, IIR), DATA);
    in(&end, RBR);
    assert_int_equal(in(&end, IIR), THR_EMPTY);
}

/* Section 8.8, bit 4 */
static void loopback_receives_what_is_sent(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, FCR, FIFO_ENABLE);
    out(&end, MCR, LOOP);
    out(&end, THR, 0xae);
    out(&end, THR, 0x00);
    out(&end, THR, 0x51);
    assert_int_equal(in(&end, RBR), 0xae);
    assert_int_equal(in(&end, LSR), THRE_TEMT | DR);
    assert_int_equal(in(&end, RBR), 0x00);
    assert_int_equal(in(&end, RBR), 0x51);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
}

static void loopback_cuts_the_console_off(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, LOOP);
    out(&end, IER, ERBFI);
    type(&end, "abc");
    assert_int_equal(in(&end, LSR), THRE_TEMT);
    assert_int_equal(end.captured.starved, 0);
    out(&end, MCR, 0);
    assert_int_equal(in(&end, RBR), 'a');
}

/* As many kernels set up COM1: FIFOs cleared and on, then a byte sent to itself. */
static void input_survives_a_kernels_usual_setup(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    type(&end, "typed early");
    out(&end, IER, 0);
    out(&end, LCR, DLAB);
    out(&end, DLL, 3);
    out(&end, DLM, 0);
    out(&end, LCR, 0x03);
    out(&end, FCR, FIFO_ENABLE | FIFO_RESET | TRIGGER_14);
    out(&end, MCR, 0x0b);
    out(&end, MCR, LOOP | RTS | OUT1 | OUT2);
    out(&end, THR, 0xae);
    assert_int_equal(in(&end, RBR), 0xae);
    out(&end, MCR, 0x0f);
    for (const char *expected = "typed early"; *expected; expected++)
        assert_int_equal(in(&end, RBR), *expected);
}

/* Section 8.4, bit 1 */
static void without_fifo_a_byte_too_many_replaces_the_last(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, LOOP);
    out(&end, THR, 'a');
    out(&end, THR, 'b');
    assert_int_equal(in(&end, LSR), THRE_TEMT | DR | OE);
    assert_int_equal(in(&end, RBR), 'b');
    assert_int_equal(in(&end, LSR), THRE_TEMT);
}

/* Section 8.4, bit 1 */
static void with_fifo_a_byte_too_many_is_lost(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, FCR, FIFO_ENABLE);
    out(&end, MCR, LOOP);
    for (int byte = 'a'; byte < 'a' + 16; byte++)
        out(&end, THR, (uint8_t)byte);
    assert_int_equal(in(&end, LSR), THRE_TEMT | DR);
    out(&end, THR, 'z');
    assert_int_equal(in(&end, LSR), THRE_TEMT | DR | OE);
    for (int byte = 'a'; byte < 'a' + 16; byte++)
        assert_int_equal(in(&end, RBR), byte);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
}

static void reading_the_line_status_answers_an_overrun(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ELSI);
    out(&end, MCR, LOOP | OUT2);
    out(&end, THR, 'a');
    assert_false(end.level);
    out(&end, THR, 'b');
    assert_true(end.level);
    assert_int_equal(in(&end, IIR), LINE_ERROR);
    assert_int_equal(in(&end, LSR) & OE, OE);
    assert_false(end.level);
    assert_int_equal(in(&end, LSR) & OE, 0);
}

static void console_input_never_overruns(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, IER, ERBFI | ELSI);
    for (unsigned i = 0; i < 3; i++)
        type(&end, "a long line of input");
    assert_int_equal(in(&end, LSR) & OE, 0);
    assert_int_equal(in(&end, IIR), DATA);
}

/* Section 8.9, bits 0, 1 and 3; bit 2 (RI) only where it ends */
static void changes_of_modem_inputs_are_kept_until_read(void **state)
{
    static const struct {
        uint8_t output, rises, falls;
    } wires[] = {
        { RTS, 0x01, 0x01 }, { 0x01, 0x02, 0x02 }, { OUT1, 0, 0x04 }, { OUT2, DDCD, DDCD }
    };
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, LOOP);
    in(&end, MSR);
    for (unsigned i = 0; i < 4; i++) {
        out(&end, MCR, LOOP | wires[i].output);
        assert_int_equal(in(&end, MSR) & 0x0f, wires[i].rises);
        assert_int_equal(in(&end, MSR) & 0x0f, 0);
        out(&end, MCR, LOOP);
        assert_int_equal(in(&end, MSR) & 0x0f, wires[i].falls);
        assert_int_equal(in(&end, MSR) & 0x0f, 0);
    }
}

static void change_of_modem_inputs_interrupts_until_read(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, LOOP | OUT2);
    in(&end, MSR);
    out(&end, IER, EDSSI);
    out(&end, MCR, LOOP | OUT2 | RTS);
    assert_true(end.level);
    assert_int_equal(in(&end, IIR), MODEM);
    in(&end, MSR);
    assert_false(end.level);
}

static void end_of_input_is_a_line_that_hangs_up(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    end_input(&end);
    assert_int_equal(in(&end, MSR), 0x30 | DDCD);
    assert_int_equal(in(&end, MSR), 0x30);
    assert_int_equal(in(&end, LSR), THRE_TEMT);
}

static void line_hangs_up_after_the_last_byte_was_read(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    type(&end, "ab");
    end_input(&end);
    assert_int_equal(in(&end, MSR), 0xb0);
    in(&end, RBR);
    assert_int_equal(in(&end, MSR), 0xb0);
    in(&end, RBR);
    assert_int_equal(in(&end, MSR), 0x30 | DDCD);
}

static void hanging_up_interrupts(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    out(&end, MCR, OUT2);
    out(&end, IER, ERBFI | EDSSI);
    type(&end, "a");
    end_input(&end);
    assert_int_equal(in(&end, IIR), DATA);
    in(&end, RBR);
    assert_true(end.level);
    assert_int_equal(in(&end, IIR), MODEM);
    assert_int_equal(in(&end, MSR), 0x30 | DDCD);
    assert_false(end.level);
}

static void loopback_hides_that_the_line_hung_up(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    end_input(&end);
    in(&end, LSR);
    out(&end, MCR, LOOP | OUT2);
    assert_int_equal(in(&end, MSR) & DCD, DCD);
    out(&end, MCR, 0);
    assert_int_equal(in(&end, MSR) & DCD, 0);
}

static void owner_hears_of_a_guest_that_looks_for_input_in_vain(void **state)
{
    struct machine_end end;

    (void)state;
    reset(&end);
    in(&end, LSR);
    in(&end, LSR);
    assert_int_equal(end.captured.starved, 2);
    type(&end, "a");
    in(&end, LSR);
    assert_int_equal(end.captured.starved, 2);
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
        cmocka_unit_test(typed_bytes_are_read_in_order),
        cmocka_unit_test(data_ready_is_set_while_there_is_a_byte),
        cmocka_unit_test(guest_that_looks_finds_input_nobody_told_of),
        cmocka_unit_test(divisor_hides_the_receiver),
        cmocka_unit_test(without_fifo_it_takes_one_byte_at_a_time),
        cmocka_unit_test(with_fifo_it_takes_16_bytes_and_leaves_the_rest),
        cmocka_unit_test(input_waits_outside_until_the_guest_is_interested),
        cmocka_unit_test(resetting_the_receiver_drops_what_it_holds),
        cmocka_unit_test(switching_the_fifo_drops_what_the_receiver_holds),
        cmocka_unit_test(setting_the_trigger_level_drops_nothing),
        cmocka_unit_test(fifo_control_without_the_enable_bit_sets_nothing),
        cmocka_unit_test(receiver_interrupts_for_a_byte_until_it_is_read),
        cmocka_unit_test(receiver_does_not_interrupt_unless_enabled),
        cmocka_unit_test(each_byte_read_makes_an_edge_for_the_next),
        cmocka_unit_test(fifo_interrupts_as_data_from_the_trigger_level_on),
        cmocka_unit_test(bytes_below_the_trigger_level_time_out_at_once),
        cmocka_unit_test(interrupts_do_without_out2),
        cmocka_unit_test(machine_without_controller_can_do_all_the_same),
        cmocka_unit_test(each_byte_sent_makes_an_edge),
        cmocka_unit_test(interrupts_are_told_by_their_priority),
        cmocka_unit_test(reading_the_interrupt_id_for_data_keeps_the_transmit_interrupt),
        cmocka_unit_test(loopback_receives_what_is_sent),
        cmocka_unit_test(loopback_cuts_the_console_off),
        cmocka_unit_test(input_survives_a_kernels_usual_setup),
        cmocka_unit_test(without_fifo_a_byte_too_many_replaces_the_last),
        cmocka_unit_test(with_fifo_a_byte_too_many_is_lost),
        cmocka_unit_test(reading_the_line_status_answers_an_overrun),
        cmocka_unit_test(console_input_never_overruns),
        cmocka_unit_test(changes_of_modem_inputs_are_kept_until_read),
        cmocka_unit_test(change_of_modem_inputs_interrupts_until_read),
        cmocka_unit_test(end_of_input_is_a_line_that_hangs_up),
        cmocka_unit_test(line_hangs_up_after_the_last_byte_was_read),
        cmocka_unit_test(hanging_up_interrupts),
        cmocka_unit_test(loopback_hides_that_the_line_hung_up),
        cmocka_unit_test(owner_hears_of_a_guest_that_looks_for_input_in_vain),
    };

    return cmocka_run_group_tests_name("uart16550", tests, NULL, NULL);
}

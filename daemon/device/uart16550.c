#include "device/uart16550.h"

#include <string.h>

/* Table II: register addresses */
enum {
    DATA = 0,             /* RBR and THR; with DLAB the divisor's low byte */
    INTERRUPT_ENABLE = 1, /* with DLAB the divisor's high byte */
    INTERRUPT_ID = 2,     /* read; written: FIFO control */
    LINE_CONTROL = 3,
    MODEM_CONTROL = 4,
    LINE_STATUS = 5,
    MODEM_STATUS = 6,
    SCRATCH = 7,
};

enum {
    IER_RECEIVED_DATA = 0x01,
    IER_TRANSMIT_EMPTY = 0x02,
    IER_LINE_STATUS = 0x04,
    IER_MODEM_STATUS = 0x08,
    IER_BITS = 0x0f,

    /* Table IV */
    IIR_NONE = 0x01,
    IIR_LINE_STATUS = 0x06,
    IIR_RECEIVED_DATA = 0x04,
    IIR_TIMEOUT = 0x0c,
    IIR_TRANSMIT_EMPTY = 0x02,
    IIR_MODEM_STATUS = 0x00,
    IIR_FIFOS_ON = 0xc0,

    FCR_ENABLE = 0x01,
    FCR_RESET_RECEIVER = 0x02,
    FCR_TRIGGER_SHIFT = 6,

    LCR_DLAB = 0x80,

    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOPBACK = 0x10,
    MCR_BITS = 0x1f,

    LSR_DATA_READY = 0x01,
    LSR_OVERRUN = 0x02,
    LSR_TRANSMIT_EMPTY = 0x60, /* THRE and TEMT */

    MSR_DELTA_CTS = 0x01,
    MSR_DELTA_DSR = 0x02,
    MSR_TRAILING_RI = 0x04,
    MSR_DELTA_DCD = 0x08,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
};

static bool fifos_enabled(const struct uart16550 *uart)
{
    return uart->fifo_control & FCR_ENABLE;
}

static bool in_loopback(const struct uart16550 *uart)
{
    return uart->modem_control & MCR_LOOPBACK;
}

static bool divisor_selected(const struct uart16550 *uart)
{
    return uart->line_control & LCR_DLAB;
}

static unsigned capacity(const struct uart16550 *uart)
{
    return fifos_enabled(uart) ? UART16550_FIFO_SIZE : 1;
}

/* Section 8.5, bits 6 and 7 */
static unsigned trigger_level(const struct uart16550 *uart)
{
    static const uint8_t levels[] = { 1, 4, 8, 14 };

    return fifos_enabled(uart) ? levels[uart->fifo_control >> FCR_TRIGGER_SHIFT] : 1;
}

/*
 * Section 8.6: the source of the highest priority. A timeout is due when nothing has come or gone
 * for four characters' time; without a bit clock, that is at once.
 */
static uint8_t interrupt_id(const struct uart16550 *uart)
{
    if ((uart->interrupt_enable & IER_LINE_STATUS) && uart->line_errors)
        return IIR_LINE_STATUS;
    if ((uart->interrupt_enable & IER_RECEIVED_DATA) && uart->received_count > 0)
        return uart->received_count >= trigger_level(uart) ? IIR_RECEIVED_DATA : IIR_TIMEOUT;
    if ((uart->interrupt_enable & IER_TRANSMIT_EMPTY) && uart->transmit_interrupt)
        return IIR_TRANSMIT_EMPTY;
    if ((uart->interrupt_enable & IER_MODEM_STATUS) && uart->modem_deltas)
        return IIR_MODEM_STATUS;
    return IIR_NONE;
}

/*
 * On a PC, OUT2 opens a gate between the UART and its interrupt line. It is left open: QEMU has
 * none, and kernels that were only ever run there (xv6 is one) do not set the bit.
 */
static void update_interrupt(struct uart16550 *uart)
{
    bool level = interrupt_id(uart) != IIR_NONE;

    if (level == uart->interrupt)
        return;
    uart->interrupt = level;
    interrupt_line_set(&uart->irq, level);
}

/*
 * Section 8.9, bits 4 to 7: a terminal that is ready, until it has hung up; in loopback the outputs
 * come back as inputs.
 */
static uint8_t modem_inputs(const struct uart16550 *uart)
{
    static const struct {
        uint8_t output, input;
    } wires[] = {
        { MCR_RTS, MSR_CTS }, { MCR_DTR, MSR_DSR }, { MCR_OUT1, MSR_RI }, { MCR_OUT2, MSR_DCD }
    };
    uint8_t inputs = 0;

    if (!in_loopback(uart))
        return MSR_CTS | MSR_DSR | (uart->hung_up ? 0 : MSR_DCD);
    for (unsigned i = 0; i < sizeof(wires) / sizeof(wires[0]); i++)
        if (uart->modem_control & wires[i].output)
            inputs |= wires[i].input;
    return inputs;
}

/* Section 8.9, bits 0 to 3: each says that an input has changed; of RI, its end alone. */
static void update_modem_status(struct uart16550 *uart)
{
    uint8_t inputs = modem_inputs(uart), changed = inputs ^ uart->modem_inputs;

    if (changed & MSR_CTS)
        uart->modem_deltas |= MSR_DELTA_CTS;
    if (changed & MSR_DSR)
        uart->modem_deltas |= MSR_DELTA_DSR;
    if (changed & uart->modem_inputs & MSR_RI)
        uart->modem_deltas |= MSR_TRAILING_RI;
    if (changed & MSR_DCD)
        uart->modem_deltas |= MSR_DELTA_DCD;
    uart->modem_inputs = inputs;
}

void uart16550_init(struct uart16550 *uart, const struct console *console,
                    const struct interrupt_line *irq)
{
    *uart = (struct uart16550){ .console = console, .irq = *irq };
}

void uart16550_reset(void *device)
{
    struct uart16550 *uart = device;

    uart->modem_inputs = modem_inputs(uart);
}

/* The line is as fast as the guest reads. In loopback it is cut off (section 8.8, bit 4). */
static void take_input(struct uart16550 *uart)
{
    unsigned room = capacity(uart) - uart->received_count;

    if (in_loopback(uart))
        return;
    if (room > 0)
        uart->received_count +=
            (unsigned)console_read(uart->console, uart->received + uart->received_count, room);
    if (uart->received_count == 0 && !uart->hung_up && console_ended(uart->console)) {
        uart->hung_up = true;
        update_modem_status(uart);
    }
}

/* The guest looks at the receiver: there is to be a byte if there can be one. */
static void expect_input(struct uart16550 *uart)
{
    if (uart->received_count == 0)
        take_input(uart);
}

void uart16550_receive(struct uart16550 *uart)
{
    if (uart->interrupt_enable & (IER_RECEIVED_DATA | IER_MODEM_STATUS))
        take_input(uart);
    update_interrupt(uart);
}

/* 0 where there is no byte. */
static uint8_t pop_received(struct uart16550 *uart)
{
    uint8_t byte = uart->received[0];

    if (uart->received_count == 0)
        return 0;
    uart->received_count--;
    memmove(uart->received, uart->received + 1, uart->received_count);
    return byte;
}

/*
 * Whatever remains is a new interrupt, a low and a high level on the line. From a line that takes
 * its time, a byte would come only after this one was read; an interrupt handler that reads one
 * byte and returns, with a controller that waits for edges, depends on it.
 */
static uint8_t read_data(struct uart16550 *uart)
{
    uint8_t byte;

    expect_input(uart);
    byte = pop_received(uart);
    if (uart->interrupt) {
        uart->interrupt = false;
        interrupt_line_set(&uart->irq, false);
    }
    uart16550_receive(uart);
    return byte;
}

/* Table IV: reading it answers "transmitter empty", if that is what it says. */
static uint8_t read_interrupt_id(struct uart16550 *uart)
{
    uint8_t id;

    uart16550_receive(uart);
    id = interrupt_id(uart);
    if (id == IIR_TRANSMIT_EMPTY)
        uart->transmit_interrupt = false;
    return id | (fifos_enabled(uart) ? IIR_FIFOS_ON : 0);
}

/* Section 8.4; reading it answers the errors. */
static uint8_t read_line_status(struct uart16550 *uart)
{
    uint8_t status = LSR_TRANSMIT_EMPTY | uart->line_errors;

    uart->line_errors = 0;
    expect_input(uart);
    if (uart->received_count > 0)
        status |= LSR_DATA_READY;
    else if (!in_loopback(uart))
        console_starved(uart->console);
    return status;
}

/* Section 8.9; reading it answers the changes. */
static uint8_t read_modem_status(struct uart16550 *uart)
{
    uint8_t status;

    expect_input(uart);
    status = uart->modem_inputs | uart->modem_deltas;
    uart->modem_deltas = 0;
    return status;
}

static uint8_t read_register(struct uart16550 *uart, uint64_t offset)
{
    switch (offset) {
    case DATA:
        return divisor_selected(uart) ? uart->divisor_low : read_data(uart);
    case INTERRUPT_ENABLE:
        return divisor_selected(uart) ? uart->divisor_high : uart->interrupt_enable;
    case INTERRUPT_ID:
        return read_interrupt_id(uart);
    case LINE_CONTROL:
        return uart->line_control;
    case MODEM_CONTROL:
        return uart->modem_control;
    case LINE_STATUS:
        return read_line_status(uart);
    case MODEM_STATUS:
        return read_modem_status(uart);
    case SCRATCH:
        return uart->scratch;
    default:
        return 0xff;
    }
}

uint8_t uart16550_read(void *device, uint64_t offset)
{
    struct uart16550 *uart = device;
    uint8_t value = read_register(uart, offset);

    update_interrupt(uart);
    return value;
}

/*
 * Section 8.4, bit 1: a byte too many is lost where there is a FIFO, and takes the place of the one
 * before it where there is none.
 */
static void receive_own(struct uart16550 *uart, uint8_t byte)
{
    if (uart->received_count < capacity(uart)) {
        uart->received[uart->received_count++] = byte;
        return;
    }
    uart->line_errors |= LSR_OVERRUN;
    if (!fifos_enabled(uart))
        uart->received[0] = byte;
}

/*
 * Section 8.8, bit 4: in loopback the line stays idle, the byte goes to the receiver. THR is full
 * until the byte is sent: where "transmitter empty" was pending, the line has a low level between
 * the two.
 */
static void transmit(struct uart16550 *uart, uint8_t byte)
{
    uart->transmit_interrupt = false;
    update_interrupt(uart);
    if (in_loopback(uart))
        receive_own(uart, byte);
    else
        console_write(uart->console, &byte, 1);
    uart->transmit_interrupt = true;
    update_interrupt(uart);
}

static void write_interrupt_enable(struct uart16550 *uart, uint8_t value)
{
    /* enabled while the transmitter is empty, as it always is: an interrupt at once */
    if (value & ~uart->interrupt_enable & IER_TRANSMIT_EMPTY)
        uart->transmit_interrupt = true;
    uart->interrupt_enable = value & IER_BITS;
}

/* Section 8.5: a change of mode empties the FIFOs; without bit 0 the other bits do not count. */
static void write_fifo_control(struct uart16550 *uart, uint8_t value)
{
    if (!(value & FCR_ENABLE))
        value = 0;
    if (((value ^ uart->fifo_control) & FCR_ENABLE) || (value & FCR_RESET_RECEIVER))
        uart->received_count = 0;
    uart->fifo_control = value;
}

static void write_modem_control(struct uart16550 *uart, uint8_t value)
{
    uart->modem_control = value & MCR_BITS;
    update_modem_status(uart);
}

static void write_register(struct uart16550 *uart, uint64_t offset, uint8_t value)
{
    switch (offset) {
    case INTERRUPT_ENABLE:
        if (divisor_selected(uart))
            uart->divisor_high = value;
        else
            write_interrupt_enable(uart, value);
        break;
    case INTERRUPT_ID:
        write_fifo_control(uart, value);
        break;
    case LINE_CONTROL:
        uart->line_control = value;
        break;
    case MODEM_CONTROL:
        write_modem_control(uart, value);
        break;
    case SCRATCH:
        uart->scratch = value;
        break;
    default: /* the two status registers: writes are for factory tests (section 8.4) */
        break;
    }
    uart16550_receive(uart); /* it may have made room, or enabled the interrupt */
}

void uart16550_write(void *device, uint64_t offset, uint8_t value)
{
    struct uart16550 *uart = device;

    if (offset != DATA)
        write_register(uart, offset, value);
    else if (divisor_selected(uart))
        uart->divisor_low = value;
    else
        transmit(uart, value);
}

bool uart16550_tells_transmitted(const struct uart16550 *uart)
{
    return uart->interrupt_enable & IER_TRANSMIT_EMPTY;
}

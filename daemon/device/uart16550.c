#include "device/uart16550.h"

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
    IER_TRANSMIT_EMPTY = 0x02,
    IER_BITS = 0x0f,

    IIR_NONE = 0x01,
    IIR_TRANSMIT_EMPTY = 0x02,
    IIR_FIFOS_ON = 0xc0,

    FCR_ENABLE = 0x01,

    LCR_DLAB = 0x80,

    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOPBACK = 0x10,
    MCR_BITS = 0x1f,

    LSR_TRANSMIT_EMPTY = 0x60, /* THRE and TEMT */

    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
};

void uart16550_init(struct uart16550 *uart, const struct console *console)
{
    *uart = (struct uart16550){ .console = console };
}

static bool divisor_selected(const struct uart16550 *uart)
{
    return uart->line_control & LCR_DLAB;
}

/* Section 8.6; reading it answers a pending "transmitter empty". */
static uint8_t read_interrupt_id(struct uart16550 *uart)
{
    uint8_t fifos = uart->fifo_control & FCR_ENABLE ? IIR_FIFOS_ON : 0;

    if (!uart->transmit_interrupt || !(uart->interrupt_enable & IER_TRANSMIT_EMPTY))
        return fifos | IIR_NONE;
    uart->transmit_interrupt = false;
    return fifos | IIR_TRANSMIT_EMPTY;
}

/* Section 8.9: a terminal that is always ready; in loopback the outputs come back as inputs. */
static uint8_t read_modem_status(const struct uart16550 *uart)
{
    uint8_t control = uart->modem_control, status = 0;

    if (!(control & MCR_LOOPBACK))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    if (control & MCR_RTS)
        status |= MSR_CTS;
    if (control & MCR_DTR)
        status |= MSR_DSR;
    if (control & MCR_OUT1)
        status |= MSR_RI;
    if (control & MCR_OUT2)
        status |= MSR_DCD;
    return status;
}

uint8_t uart16550_read(void *device, uint64_t offset)
{
    struct uart16550 *uart = device;

    switch (offset) {
    case DATA:
        return divisor_selected(uart) ? uart->divisor_low : 0;
    case INTERRUPT_ENABLE:
        return divisor_selected(uart) ? uart->divisor_high : uart->interrupt_enable;
    case INTERRUPT_ID:
        return read_interrupt_id(uart);
    case LINE_CONTROL:
        return uart->line_control;
    case MODEM_CONTROL:
        return uart->modem_control;
    case LINE_STATUS:
        return LSR_TRANSMIT_EMPTY;
    case MODEM_STATUS:
        return read_modem_status(uart);
    case SCRATCH:
        return uart->scratch;
    default:
        return 0xff;
    }
}

/* Section 8.8, bit 4: in loopback the line stays idle, the byte goes to the receiver. */
static void transmit(struct uart16550 *uart, uint8_t value)
{
    if (!(uart->modem_control & MCR_LOOPBACK))
        console_write(uart->console, &value, 1);
    uart->transmit_interrupt = true;
}

static void write_interrupt_enable(struct uart16550 *uart, uint8_t value)
{
    /* enabled while the transmitter is empty, as it always is: an interrupt at once */
    if (value & ~uart->interrupt_enable & IER_TRANSMIT_EMPTY)
        uart->transmit_interrupt = true;
    uart->interrupt_enable = value & IER_BITS;
}

void uart16550_write(void *device, uint64_t offset, uint8_t value)
{
    struct uart16550 *uart = device;

    switch (offset) {
    case DATA:
        if (divisor_selected(uart))
            uart->divisor_low = value;
        else
            transmit(uart, value);
        break;
    case INTERRUPT_ENABLE:
        if (divisor_selected(uart))
            uart->divisor_high = value;
        else
            write_interrupt_enable(uart, value);
        break;
    case INTERRUPT_ID:
        uart->fifo_control = value;
        break;
    case LINE_CONTROL:
        uart->line_control = value;
        break;
    case MODEM_CONTROL:
        uart->modem_control = value & MCR_BITS;
        break;
    case SCRATCH:
        uart->scratch = value;
        break;
    default: /* the two status registers: writes are for factory tests (section 8.4) */
        break;
    }
}

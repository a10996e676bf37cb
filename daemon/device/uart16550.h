/*
 * UART: a National Semiconductor PC16550D, as COM1 has it, with a terminal at the other end.
 *
 * There is no bit clock: a byte written is sent at once, so the transmitter is always empty; and a
 * byte that was typed is received as soon as there is room for it, so none is lost. At the end of
 * the input the terminal hangs up: once the guest has read the last byte, DCD goes away.
 *
 * Input stays in the console until an interrupt is enabled that would tell of it, or the guest
 * looks: guests clear the receiver when they set the UART up, and what was typed before would go.
 *
 * "Section" and "Table" mean the PC16550D data sheet. All functions: with the machine's lock held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "device/console.h"
#include "device/interrupt.h"

enum { UART16550_REGISTERS = 8, UART16550_FIFO_SIZE = 16 };

struct uart16550 {
    const struct console *console;
    struct interrupt_line irq;

    uint8_t divisor_low; /* from here on: its state */
    uint8_t divisor_high;
    uint8_t interrupt_enable;
    uint8_t fifo_control;
    uint8_t line_control;
    uint8_t modem_control;
    uint8_t scratch;

    uint8_t received[UART16550_FIFO_SIZE]; /* the oldest first; without FIFO, one byte */
    unsigned received_count;
    uint8_t line_errors;     /* bits of LSR that wait to be read */
    uint8_t modem_inputs;    /* upper half of MSR, as it was last */
    uint8_t modem_deltas;    /* lower half of MSR: what changed since it was read */
    bool hung_up;            /* the input has ended and was read */
    bool transmit_interrupt; /* THR became empty and nobody has been told */
    bool interrupt;          /* level of the interrupt line */
};

/* Wires it; all of its state is 0, and a reset has to follow. console must outlive the UART. */
void uart16550_init(struct uart16550 *uart, const struct console *console,
                    const struct interrupt_line *irq);

/* State after reset (Table I), where it is not 0. */
void uart16550_reset(void *uart);

/* The console has input, or it has ended. May be called at any time, for nothing as well. */
void uart16550_receive(struct uart16550 *uart);

/* Registers 0..7; a struct bus_range's functions. */
uint8_t uart16550_read(void *uart, uint64_t offset);
void uart16550_write(void *uart, uint64_t offset, uint8_t value);

/* Whether the guest wants an interrupt when a byte it wrote is out. */
bool uart16550_tells_transmitted(const struct uart16550 *uart);

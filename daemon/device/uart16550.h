/*
 * UART: a National Semiconductor PC16550D, as COM1 has it.
 *
 * The transmit side is complete: a byte written is sent at once, so the transmitter is always
 * empty. The receiver never has a byte. "Section" and "Table" mean the PC16550D data sheet.
 *
 * All functions: the VM's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "device/console.h"

enum { UART16550_REGISTERS = 8 };

struct uart16550 {
    const struct console *console;
    uint8_t divisor_low;
    uint8_t divisor_high;
    uint8_t interrupt_enable;
    uint8_t fifo_control;
    uint8_t line_control;
    uint8_t modem_control;
    uint8_t scratch;
    bool transmit_interrupt; /* THR became empty and nobody has been told */
};

/* State after reset (Table I). console must outlive the UART. */
void uart16550_init(struct uart16550 *uart, const struct console *console);

/* Registers 0..7; a struct bus_range's functions. */
uint8_t uart16550_read(void *uart, uint64_t offset);
void uart16550_write(void *uart, uint64_t offset, uint8_t value);

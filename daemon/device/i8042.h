/*
 * i8042: a PC's keyboard controller, with nothing plugged in.
 *
 * Guests have it to reset the machine, and drivers find in a moment that there is no keyboard and
 * no mouse: every command is answered at once, and a byte for a keyboard with "it did not take it".
 *
 * All functions: with the machine's lock held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "device/interrupt.h"
#include "shared/guest_end.h"

struct i8042 {
    struct guest_end *end;
    struct interrupt_line irq;

    uint8_t status; /* from here on: its state. Less the bit that says that there is output */
    uint8_t configuration;
    uint8_t output_port;
    uint8_t command; /* whose data is to come; 0: none */
    uint8_t output;  /* what the data port reads */
    bool output_full;
    bool interrupt; /* level of the interrupt line */
};

/* Wires it; all of its state is 0, and a reset has to follow. irq: the keyboard's. end must outlive
 * the controller. */
void i8042_init(struct i8042 *i8042, struct guest_end *end, const struct interrupt_line *irq);

/* State as a PC's firmware leaves it, where it is not 0. */
void i8042_reset(void *i8042);

/* Functions of two struct bus_range of one port each: 0x60 and 0x64. */
uint8_t i8042_read_data(void *i8042, uint64_t offset);
void i8042_write_data(void *i8042, uint64_t offset, uint8_t value);
uint8_t i8042_read_status(void *i8042, uint64_t offset);
void i8042_write_command(void *i8042, uint64_t offset, uint8_t value);

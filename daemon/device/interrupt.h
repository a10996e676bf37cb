/*
 * Interrupt line: the wire from a device to the interrupt controller, if the machine has one.
 */
#pragma once

#include <stdbool.h>

struct interrupt_line {
    void (*set)(void *context, unsigned irq, bool level); /* NULL: no controller */
    void *context;
    unsigned irq;
};

/* A device calls this when the level changes, and only then: it may be a system call. */
static inline void interrupt_line_set(const struct interrupt_line *line, bool level)
{
    if (line->set)
        line->set(line->context, line->irq, level);
}

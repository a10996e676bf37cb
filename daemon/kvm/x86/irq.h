/*
 * IRQ: the wires to the interrupt controllers in the kernel.
 */
#pragma once

#include <stdbool.h>

struct machine;

/* Raises or lowers one. Any of the machine's threads, lock held. */
void irq_set(const struct machine *machine, unsigned irq, bool level);

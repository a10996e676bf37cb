/*
 * Arch: what each architecture provides to its boards; one folder each (x86/, riscv64/).
 *
 * All functions: the VM's thread, before its vCPUs run.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "board/board.h"
#include "device/hypercall.h"
#include "device/uart16550.h"
#include "kvm/machine.h"

/* What every board has. An architecture's own struct begins with it. */
struct board {
    struct machine *machine;
    struct uart16550 uart;
    struct hypercall_device hypercalls;
};

/* Bytes of an architecture's struct. */
extern const size_t arch_board_size;

/* Where the UART is, whose writes KVM may gather. */
extern const enum io_space arch_uart_space;
extern const uint64_t arch_uart_address;

/* The interrupt line of the board's UART, whose controller may not be there. */
struct interrupt_line arch_uart_line(struct board *board);

/* What kernels look for in memory. Errors: -ENOMEM, -ENOEXEC (no room in the guest's memory). */
int arch_describe_machine(struct machine *machine, const struct board_config *config,
                          struct error *err);

/* The devices that only this architecture has; the common ones are made. */
void arch_init_devices(struct board *board, const struct board_config *config);

/* Puts all devices on the machine's buses. */
void arch_place_devices(struct board *board, const struct board_config *config);

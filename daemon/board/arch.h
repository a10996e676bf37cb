/*
 * Arch: what each architecture provides to its boards; one folder each (x86/, riscv64/).
 *
 * All functions: the VM's thread, before its vCPUs run.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "board/board.h"
#include "board/device_table.h"
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

/* All devices, the common ones too. Offsets are in an architecture's struct. */
extern const struct device_table arch_devices;

/* Where they are: ports or memory. */
extern const enum io_space arch_device_space;

/* Where the UART's data register is, whose writes KVM may gather. */
extern const uint64_t arch_uart_address;

/* The interrupt line of the board's UART, whose controller may not be there. */
struct interrupt_line arch_uart_line(struct board *board);

/* What kernels look for in memory. Errors: -ENOMEM, -ENOEXEC (no room in the guest's memory). */
int arch_describe_machine(struct machine *machine, const struct board_config *config,
                          struct error *err);

/* Wires the devices that only this architecture has. */
void arch_wire_devices(struct board *board, const struct board_config *config);

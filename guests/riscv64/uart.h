/*
 * What guests that read the UART have of it and of the PLIC: PC16550D data sheet, "Registers";
 * RISC-V PLIC Specification, "Memory Map". For assembly.
 */
#pragma once

#include "guests/riscv64/board.h"

/* Registers, from UART_ADDRESS on. */
#define UART_DATA             0
#define UART_INTERRUPT_ENABLE 1
#define UART_FIFO_CONTROL     2
#define UART_LINE_STATUS      5
#define UART_MODEM_STATUS     6

#define UART_ON_RECEIVED_DATA 0x01 /* interrupt enable */
#define UART_ON_MODEM_STATUS  0x08
#define UART_FIFO_ENABLE      0x01 /* FIFO control */
#define UART_DATA_READY       0x01 /* line status */
#define UART_CARRIER          0x80 /* modem status: there may be more input */

/* Of context 0, which is hart 0. */
#define PLIC_UART_PRIORITY (PLIC_ADDRESS + 4 * UART_IRQ)
#define PLIC_ENABLE        (PLIC_ADDRESS + 0x2000)
#define PLIC_CLAIM         (PLIC_ADDRESS + 0x200004)

#define SIE_EXTERNAL 0x200 /* sie: the PLIC's interrupt */

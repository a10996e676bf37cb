/*
 * What guests use of a PC: the UART's registers, and of the machine "pc" the interrupt controllers
 * and the timer. Nothing but #defines and comments, for assembly and C.
 */
#pragma once

#include "guests/x86/board.h"

/* PC16550D data sheet, section 8. */
#define UART_DATA             UART_PORT /* a byte in, a byte out */
#define UART_INTERRUPT_ENABLE (UART_PORT + 1)
#define UART_FIFO_CONTROL     (UART_PORT + 2)
#define UART_MODEM_CONTROL    (UART_PORT + 4)
#define UART_LINE_STATUS      (UART_PORT + 5)
#define UART_MODEM_STATUS     (UART_PORT + 6)

#define UART_ON_RECEIVED_DATA 0x01 /* interrupt enable */
#define UART_ON_MODEM_STATUS  0x08
#define UART_FIFO_ENABLE      0x01 /* FIFO control */
#define UART_INTERRUPT_OUT    0x08 /* modem control, OUT2: lets interrupts through to the PIC */
#define UART_DATA_READY       0x01 /* line status */
#define UART_CARRIER          0x80 /* modem status, DCD: off once all input was read and has ended */

/* Intel 8259A data sheet, "Initialization Command Words", and where a PC has its two. */
#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA    0xa1

#define PIC_INIT        0x11 /* ICW1: cascaded, edge-triggered, ICW4 follows */
#define PIC_8086        0x01 /* ICW4 */
#define PIC_END_OF_IRQ  0x20 /* OCW2 */
#define PIC_CASCADE_IRQ 2    /* of the first one, where the second is */
#define PIC_VECTOR      0x20 /* of IRQ 0: the first that the CPU has not for itself */

#define TIMER_IRQ 0
#define UART_IRQ  4

/* Intel 8254 data sheet, "Programming the 8254". */
#define PIT_CHANNEL_0 0x40
#define PIT_COMMAND   0x43

#define PIT_RATE  0x34 /* channel 0, low byte then high byte, mode 2: an IRQ each period */
#define PIT_HERTZ 1193182

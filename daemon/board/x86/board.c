#include "board/board.h"

#include <errno.h>
#include <stdlib.h>

#include "device/hypercall.h"
#include "device/uart16550.h"
#include "guests/hypercall.h"
#include "kvm/machine.h"

enum { UART_IRQ = 4 };

struct board {
    struct machine *machine;
    struct uart16550 uart;
    struct hypercall_device hypercalls;
};

static void set_irq(void *context, unsigned irq, bool level)
{
    machine_set_irq(context, irq, level);
}

static uint8_t read_abi_version(void *device, uint64_t offset)
{
    (void)device, (void)offset;
    return HYPERCALL_ABI_VERSION;
}

static void add_uart(struct board *board, const struct board_config *config)
{
    struct machine *machine = board->machine;
    const struct interrupt_line irq = {
        .set = machine->config.interrupts ? set_irq : NULL,
        .context = machine,
        .irq = UART_IRQ,
    };

    uart16550_init(&board->uart, config->console, &irq);
    bus_add(&machine->ports, (struct bus_range){
                                 .base = UART_PORT,
                                 .size = UART16550_REGISTERS,
                                 .read = uart16550_read,
                                 .write = uart16550_write,
                                 .device = &board->uart,
                             });
    if (config->coalesce)
        machine_coalesce(machine, IO_SPACE_PORT, UART_PORT);
}

static void add_hypercalls(struct board *board, const struct board_config *config)
{
    struct machine *machine = board->machine;

    board->hypercalls = (struct hypercall_device){
        .console = config->console,
        .stats = machine->stats,
        .end = &machine->end,
        .kick = machine->vcpus[0].kick,
        .vm_id = config->vm_id,
        .vm_name = config->vm_name,
        .ring_note = config->ring_note,
    };
    machine->hypercall = hypercall_device_call;
    machine->hypercall_device = &board->hypercalls;
    /* bytes that go out there are hypercalls, which the exit table knows; others are nobody's */
    bus_add(&machine->ports, (struct bus_range){
                                 .base = HYPERCALL_PORT,
                                 .size = 1,
                                 .read = read_abi_version,
                             });
}

int board_new(struct machine *machine, const struct board_config *config, struct board **ret,
              struct error *err)
{
    struct board *board = calloc(1, sizeof(*board));

    if (!board)
        return error_set(err, -ENOMEM, "out of memory");
    board->machine = machine;
    add_uart(board, config);
    add_hypercalls(board, config);
    *ret = board;
    return 0;
}

struct board *board_free(struct board *board)
{
    free(board);
    return NULL;
}

void board_receive(struct board *board)
{
    uart16550_receive(&board->uart);
}

void board_drain(struct board *board)
{
    hypercall_device_drain(&board->hypercalls);
    /* what KVM gathers, it does not interrupt for: a guest that waits to be told that a byte is out
     * would wait for the next exit */
    if (board->machine->coalesced.space && board->uart.irq.set &&
        uart16550_tells_transmitted(&board->uart))
        machine_stop_coalescing(board->machine);
}

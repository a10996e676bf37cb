#include "board/board.h"

#include <errno.h>
#include <stdlib.h>

#include "board/arch.h"

static void init_devices(struct board *board, const struct board_config *config)
{
    struct machine *machine = board->machine;
    const struct interrupt_line uart_line = arch_uart_line(board);

    uart16550_init(&board->uart, config->console, &uart_line);
    uart16550_reset(&board->uart);
    board->hypercalls = (struct hypercall_device){
        .console = config->console,
        .stats = machine->stats,
        .end = &machine->end,
        .kick = machine->vcpus[0].kick,
        .vm_id = config->vm_id,
        .vm_name = config->vm_name,
        .ring_note = config->ring_note,
    };
    arch_init_devices(board, config);
}

int board_new(struct machine *machine, const struct board_config *config, struct board **ret,
              struct error *err)
{
    struct board *board;
    int r;

    r = arch_describe_machine(machine, config, err);
    if (r < 0)
        return r;
    board = calloc(1, arch_board_size);
    if (!board)
        return error_set(err, -ENOMEM, "out of memory");
    board->machine = machine;
    init_devices(board, config);
    arch_place_devices(board, config);
    machine->hypercall = hypercall_device_call;
    machine->hypercall_device = &board->hypercalls;
    if (config->coalesce)
        machine_coalesce(machine, arch_uart_space, arch_uart_address);
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

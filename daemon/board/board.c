#include "board/board.h"

#include <errno.h>
#include <stdlib.h>

#include "board/arch.h"

static void wire_devices(struct board *board, const struct board_config *config)
{
    struct machine *machine = board->machine;
    const struct interrupt_line uart_line = arch_uart_line(board);

    uart16550_init(&board->uart, config->console, &uart_line);
    board->hypercalls = (struct hypercall_device){
        .console = config->console,
        .stats = machine->stats,
        .end = &machine->end,
        .memory = &machine->memory,
        .kick = machine->vcpus[0].kick,
        .vm_id = config->vm_id,
        .vm_name = config->vm_name,
        .ring_note = config->ring_note,
    };
    arch_wire_devices(board, config);
}

int board_new(struct machine *machine, const struct board_config *config, struct board **ret,
              struct error *err)
{
    _cleanup_(board_freep) struct board *board = NULL;
    struct bus *bus = arch_device_space == IO_SPACE_PORT ? &machine->ports : &machine->mmio;
    const bool bare = config->kind == BOARD_BARE;
    int r;

    r = arch_describe_machine(machine, config, err);
    if (r < 0)
        return r;
    board = calloc(1, arch_board_size);
    if (!board)
        return error_set(err, -ENOMEM, "out of memory");
    board->machine = machine;
    wire_devices(board, config);
    device_table_reset(&arch_devices, bare, board);
    r = device_table_place(&arch_devices, bare, board, bus, err);
    if (r < 0)
        return r;
    machine->hypercall = hypercall_device_call;
    machine->hypercall_device = &board->hypercalls;
    if (config->coalesce)
        machine_coalesce(machine, arch_device_space, arch_uart_address);
    *ret = TAKE_PTR(board);
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

/*
 * The board of a PC: what a guest finds at which port. A bare one has what it needs to print, to
 * read and to end; "pc" is what kernels expect around them.
 */
#include "board/board.h"

#include <errno.h>
#include <stdlib.h>

#include "board/x86/acpi_tables.h"
#include "board/x86/mp_table.h"
#include "device/acpi_pm.h"
#include "device/cmos.h"
#include "device/debug_console.h"
#include "device/debug_exit.h"
#include "device/fw_cfg.h"
#include "device/hypercall.h"
#include "device/i8042.h"
#include "device/post.h"
#include "device/reset_control.h"
#include "device/uart16550.h"
#include "guests/hypercall.h"
#include "guests/x86/board.h"
#include "kvm/machine.h"
#include "kvm/x86/irq.h"
#include "util/clock.h"

/* Where PCs have them. */
enum {
    KEYBOARD_IRQ = 1,
    UART_IRQ = 4,

    KEYBOARD_DATA_PORT = 0x60,
    CMOS_PORT = 0x70,
    FIRMWARE_DEBUG_PORT = 0x402, /* QEMU's, where SeaBIOS says what it does */
    FW_CFG_PORT = 0x510,         /* QEMU's */
};

/* Where KVM's own routing has the timer, IRQ 0, at its IOAPIC: Linux, arch/x86/kvm/irq_comm.c. */
enum { TIMER_PIN = 0 };

const enum board_kind board_of_kernels = BOARD_PC;

struct board {
    struct machine *machine;
    struct uart16550 uart;
    struct hypercall_device hypercalls;
    struct debug_console debug_console;
    struct debug_exit debug_exit;
    struct i8042 i8042;
    struct reset_control reset_control;
    struct cmos cmos;
    struct acpi_pm acpi_pm;
    struct fw_cfg fw_cfg;
};

static void set_irq(void *context, unsigned irq, bool level)
{
    irq_set(context, irq, level);
}

static struct interrupt_line irq_line(struct machine *machine, unsigned irq)
{
    return (struct interrupt_line){
        .set = machine->config.interrupts ? set_irq : NULL,
        .context = machine,
        .irq = irq,
    };
}

static uint8_t read_abi_version(void *device, uint64_t offset)
{
    (void)device, (void)offset;
    return HYPERCALL_ABI_VERSION;
}

static int64_t now_ns(void *context)
{
    (void)context;
    return clock_monotonic_ns();
}

static int64_t now_s(void *context)
{
    (void)context;
    return clock_realtime_ns() / CLOCK_NS_PER_SEC;
}

static void init_devices(struct board *board, const struct board_config *config)
{
    struct machine *machine = board->machine;
    const struct interrupt_line uart_irq = irq_line(machine, UART_IRQ);
    const struct interrupt_line keyboard_irq = irq_line(machine, KEYBOARD_IRQ);
    const uint64_t memory = machine->memory.size;
    const uint64_t below = memory < GUEST_HOLE_START ? memory : GUEST_HOLE_START;

    uart16550_init(&board->uart, config->console, &uart_irq);
    board->hypercalls = (struct hypercall_device){
        .console = config->console,
        .stats = machine->stats,
        .end = &machine->end,
        .kick = machine->vcpus[0].kick,
        .vm_id = config->vm_id,
        .vm_name = config->vm_name,
        .ring_note = config->ring_note,
    };
    board->debug_console.console = config->console;
    board->debug_exit.end = &machine->end;
    i8042_init(&board->i8042, &machine->end, &keyboard_irq);
    board->reset_control.end = &machine->end;
    cmos_init(&board->cmos, &(struct cmos_memory){ .below_4g = below, .above_4g = memory - below },
              machine->config.cpus, &(struct cmos_clock){ .now = now_s });
    acpi_pm_init(&board->acpi_pm, &machine->end, &(struct acpi_pm_clock){ .now_ns = now_ns });
    fw_cfg_init(&board->fw_cfg, memory, machine->config.cpus);
}

static void place_devices(struct board *board, const struct board_config *config)
{
    const struct {
        bool pc_only;
        struct bus_range range;
    } rows[] = {
        { false,
          { UART_PORT, UART16550_REGISTERS, uart16550_read, uart16550_write, NULL, &board->uart } },
        /* bytes that go out there are hypercalls, which the exit table knows; wider ones nobody's
         */
        { false, { HYPERCALL_PORT, 1, read_abi_version, NULL, NULL, NULL } },
        { false,
          { DEBUG_CONSOLE_PORT, 1, debug_console_read, debug_console_write, NULL,
            &board->debug_console } },
        { false,
          { DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS, debug_exit_read, NULL, debug_exit_write,
            &board->debug_exit } },
        { false, { POST_PORT, 1, post_code_read, post_code_write, NULL, &config->post->port_80 } },
        { false,
          { POST_PORT_2, 1, post_code_read, post_code_write, NULL, &config->post->port_190 } },
        { true,
          { FIRMWARE_DEBUG_PORT, 1, debug_console_read, debug_console_write, NULL,
            &board->debug_console } },
        { true, { KEYBOARD_DATA_PORT, 1, i8042_read_data, i8042_write_data, NULL, &board->i8042 } },
        { true, { KEYBOARD_PORT, 1, i8042_read_status, i8042_write_command, NULL, &board->i8042 } },
        { true,
          { RESET_CONTROL_BASE, RESET_CONTROL_PORTS, reset_control_read, NULL, reset_control_write,
            &board->reset_control } },
        { true, { CMOS_PORT, CMOS_PORTS, cmos_read, cmos_write, NULL, &board->cmos } },
        { true,
          { ACPI_TABLES_PM_PORT, ACPI_PM_PORTS, acpi_pm_read, acpi_pm_write, NULL,
            &board->acpi_pm } },
        { true, { FW_CFG_PORT, FW_CFG_PORTS, fw_cfg_read, NULL, fw_cfg_write, &board->fw_cfg } },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (config->kind == BOARD_PC || !rows[i].pc_only)
            bus_add(&board->machine->ports, rows[i].range);
}

/* Kernels find the other CPUs by the MP table; one alone does without where there is no room. Some
 * know ACPI's tables alone, but none that fits where there is no room for these. */
static int describe_machine(struct machine *machine, struct error *err)
{
    const unsigned cpus = machine->config.cpus;
    int r = mp_table_write(&machine->memory, cpus, TIMER_PIN, err);

    (void)acpi_tables_write(&machine->memory, cpus, TIMER_PIN);
    return cpus > 1 ? r : 0;
}

int board_new(struct machine *machine, const struct board_config *config, struct board **ret,
              struct error *err)
{
    struct board *board;
    int r;

    r = config->kind == BOARD_PC && !config->firmware ? describe_machine(machine, err) : 0;
    if (r < 0)
        return r;
    board = calloc(1, sizeof(*board));
    if (!board)
        return error_set(err, -ENOMEM, "out of memory");
    board->machine = machine;
    init_devices(board, config);
    place_devices(board, config);
    machine->hypercall = hypercall_device_call;
    machine->hypercall_device = &board->hypercalls;
    if (config->coalesce)
        machine_coalesce(machine, IO_SPACE_PORT, UART_PORT);
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

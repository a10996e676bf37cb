/*
 * The board of a PC: what a guest finds at which port. A bare one has what it needs to print, to
 * read and to end; "pc" is what kernels expect around them.
 */
#include "board/arch.h"

#include "board/x86/acpi_tables.h"
#include "board/x86/mp_table.h"
#include "device/acpi_pm.h"
#include "device/cmos.h"
#include "device/debug_console.h"
#include "device/debug_exit.h"
#include "device/fw_cfg.h"
#include "device/i8042.h"
#include "device/post.h"
#include "device/reset_control.h"
#include "guests/hypercall.h"
#include "guests/x86/board.h"
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

struct pc {
    struct board board;
    struct debug_console debug_console;
    struct debug_exit debug_exit;
    struct i8042 i8042;
    struct reset_control reset_control;
    struct cmos cmos;
    struct acpi_pm acpi_pm;
    struct fw_cfg fw_cfg;
};

const size_t arch_board_size = sizeof(struct pc);
const enum io_space arch_uart_space = IO_SPACE_PORT;
const uint64_t arch_uart_address = UART_PORT;

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

struct interrupt_line arch_uart_line(struct board *board)
{
    return irq_line(board->machine, UART_IRQ);
}

void arch_init_devices(struct board *board, const struct board_config *config)
{
    struct pc *pc = (struct pc *)board;
    struct machine *machine = board->machine;
    const struct interrupt_line keyboard_irq = irq_line(machine, KEYBOARD_IRQ);
    const uint64_t memory = machine->memory.size;
    const uint64_t below = memory < GUEST_HOLE_START ? memory : GUEST_HOLE_START;

    pc->debug_console.console = config->console;
    pc->debug_exit.end = &machine->end;
    i8042_init(&pc->i8042, &machine->end, &keyboard_irq);
    pc->reset_control.end = &machine->end;
    cmos_init(&pc->cmos, &(struct cmos_memory){ .below_4g = below, .above_4g = memory - below },
              machine->config.cpus, &(struct cmos_clock){ .now = now_s });
    acpi_pm_init(&pc->acpi_pm, &machine->end, &(struct acpi_pm_clock){ .now_ns = now_ns });
    fw_cfg_init(&pc->fw_cfg, memory, machine->config.cpus);
}

void arch_place_devices(struct board *board, const struct board_config *config)
{
    struct pc *pc = (struct pc *)board;
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
            &pc->debug_console } },
        { false,
          { DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS, debug_exit_read, NULL, debug_exit_write,
            &pc->debug_exit } },
        { false, { POST_PORT, 1, post_code_read, post_code_write, NULL, &config->post->port_80 } },
        { false,
          { POST_PORT_2, 1, post_code_read, post_code_write, NULL, &config->post->port_190 } },
        { true,
          { FIRMWARE_DEBUG_PORT, 1, debug_console_read, debug_console_write, NULL,
            &pc->debug_console } },
        { true, { KEYBOARD_DATA_PORT, 1, i8042_read_data, i8042_write_data, NULL, &pc->i8042 } },
        { true, { KEYBOARD_PORT, 1, i8042_read_status, i8042_write_command, NULL, &pc->i8042 } },
        { true,
          { RESET_CONTROL_BASE, RESET_CONTROL_PORTS, reset_control_read, NULL, reset_control_write,
            &pc->reset_control } },
        { true, { CMOS_PORT, CMOS_PORTS, cmos_read, cmos_write, NULL, &pc->cmos } },
        { true,
          { ACPI_TABLES_PM_PORT, ACPI_PM_PORTS, acpi_pm_read, acpi_pm_write, NULL, &pc->acpi_pm } },
        { true, { FW_CFG_PORT, FW_CFG_PORTS, fw_cfg_read, NULL, fw_cfg_write, &pc->fw_cfg } },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (config->kind == BOARD_PC || !rows[i].pc_only)
            bus_add(&board->machine->ports, rows[i].range);
}

/* Kernels find the other CPUs by the MP table; one alone does without where there is no room. Some
 * know ACPI's tables alone, but none that fits where there is no room for these. */
int arch_describe_machine(struct machine *machine, const struct board_config *config,
                          struct error *err)
{
    const unsigned cpus = machine->config.cpus;
    int r;

    if (config->kind != BOARD_PC || config->firmware)
        return 0;
    r = mp_table_write(&machine->memory, cpus, TIMER_PIN, err);
    (void)acpi_tables_write(&machine->memory, cpus, TIMER_PIN);
    return cpus > 1 ? r : 0;
}

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
    struct debug_console firmware_debug;
    struct debug_exit debug_exit;
    struct post post;
    struct post post_2;
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
    pc->firmware_debug.console = config->console;
    pc->debug_exit.end = &machine->end;
    pc->post.code = &config->post->port_80;
    pc->post_2.code = &config->post->port_190;
    i8042_init(&pc->i8042, &machine->end, &keyboard_irq);
    i8042_reset(&pc->i8042);
    pc->reset_control.end = &machine->end;
    cmos_init(&pc->cmos, &(struct cmos_memory){ .below_4g = below, .above_4g = memory - below },
              machine->config.cpus, &(struct cmos_clock){ .now = now_s });
    cmos_reset(&pc->cmos);
    acpi_pm_init(&pc->acpi_pm, &machine->end, &(struct acpi_pm_clock){ .now_ns = now_ns });
    acpi_pm_reset(&pc->acpi_pm);
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
          { .base = UART_PORT,
            .size = UART16550_REGISTERS,
            .read = uart16550_read,
            .write = uart16550_write,
            .device = &board->uart } },
        /* bytes that go out there are hypercalls, which the exit table knows; wider ones nobody's
         */
        { false, { .base = HYPERCALL_PORT, .size = 1, .read = read_abi_version } },
        { false,
          { .base = DEBUG_CONSOLE_PORT,
            .size = 1,
            .read = debug_console_read,
            .write = debug_console_write,
            .device = &pc->debug_console } },
        { false,
          { .base = DEBUG_EXIT_PORT,
            .size = DEBUG_EXIT_PORTS,
            .read = debug_exit_read,
            .write_wide = debug_exit_write,
            .widths = DEBUG_EXIT_WIDTHS,
            .device = &pc->debug_exit } },
        { false,
          { .base = POST_PORT,
            .size = 1,
            .read = post_read,
            .write = post_write,
            .device = &pc->post } },
        { false,
          { .base = POST_PORT_2,
            .size = 1,
            .read = post_read,
            .write = post_write,
            .device = &pc->post_2 } },
        { true,
          { .base = FIRMWARE_DEBUG_PORT,
            .size = 1,
            .read = debug_console_read,
            .write = debug_console_write,
            .device = &pc->firmware_debug } },
        { true,
          { .base = KEYBOARD_DATA_PORT,
            .size = 1,
            .read = i8042_read_data,
            .write = i8042_write_data,
            .device = &pc->i8042 } },
        { true,
          { .base = KEYBOARD_PORT,
            .size = 1,
            .read = i8042_read_status,
            .write = i8042_write_command,
            .device = &pc->i8042 } },
        { true,
          { .base = RESET_CONTROL_BASE,
            .size = RESET_CONTROL_PORTS,
            .read = reset_control_read,
            .write_wide = reset_control_write,
            .widths = RESET_CONTROL_WIDTHS,
            .device = &pc->reset_control } },
        { true,
          { .base = CMOS_PORT,
            .size = CMOS_PORTS,
            .read = cmos_read,
            .write = cmos_write,
            .device = &pc->cmos } },
        { true,
          { .base = ACPI_TABLES_PM_PORT,
            .size = ACPI_PM_REGISTERS_SIZE,
            .read = acpi_pm_read,
            .write = acpi_pm_write,
            .device = &pc->acpi_pm } },
        { true,
          { .base = ACPI_TABLES_PM_PORT + ACPI_PM_TIMER,
            .size = ACPI_PM_TIMER_SIZE,
            .read_wide = acpi_pm_read_timer,
            .widths = ACPI_PM_TIMER_WIDTHS,
            .device = &pc->acpi_pm } },
        { true,
          { .base = FW_CFG_PORT,
            .size = FW_CFG_PORTS,
            .read = fw_cfg_read,
            .write_wide = fw_cfg_write,
            .widths = FW_CFG_WIDTHS,
            .device = &pc->fw_cfg } },
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

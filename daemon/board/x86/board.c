/*
 * The board of a PC: what a guest finds at which port. A bare one has what it needs to print, to
 * read and to end; "pc" is what kernels expect around them.
 */
#include "board/arch.h"

#include <assert.h>

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

static_assert((int)MP_TABLE_CPUS_MAX >= (int)MACHINE_CPUS_MAX &&
                  (int)ACPI_TABLES_CPUS_MAX >= (int)MACHINE_CPUS_MAX,
              "a row for each CPU");

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
const enum io_space arch_device_space = IO_SPACE_PORT;
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

void arch_wire_devices(struct board *board, const struct board_config *config)
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
    pc->reset_control.end = &machine->end;
    cmos_init(&pc->cmos, &(struct cmos_memory){ .below_4g = below, .above_4g = memory - below },
              machine->config.cpus, &(struct cmos_clock){ .now = now_s });
    acpi_pm_init(&pc->acpi_pm, &machine->end, &(struct acpi_pm_clock){ .now_ns = now_ns });
    fw_cfg_init(&pc->fw_cfg, memory, machine->config.cpus);
}

/* The UART first: of all, it is looked for most often. */
static const struct device_row rows[] = {
    {
        .name = "uart",
        DEVICE_WITH_STATE(struct pc, board.uart, divisor_low),
        .reset = uart16550_reset,
        .ranges = { { UART_PORT, UART16550_REGISTERS, .read = uart16550_read,
                      .write = uart16550_write } },
    },
    {
        /* bytes that go out there are hypercalls, which the exit table knows; wider ones nobody's
         */
        .name = "hypercalls",
        DEVICE_WITH_STATE(struct pc, board.hypercalls, ring),
        .ranges = { { HYPERCALL_PORT, 1, .read = read_abi_version } },
    },
    {
        .name = "debug-console",
        DEVICE_WITHOUT_STATE(struct pc, debug_console),
        .ranges = { { DEBUG_CONSOLE_PORT, 1, .read = debug_console_read,
                      .write = debug_console_write } },
    },
    {
        .name = "debug-exit",
        DEVICE_WITHOUT_STATE(struct pc, debug_exit),
        .ranges = { { DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS, .read = debug_exit_read,
                      .write_wide = debug_exit_write, .widths = DEBUG_EXIT_WIDTHS } },
    },
    {
        .name = "post",
        DEVICE_WITHOUT_STATE(struct pc, post),
        .ranges = { { POST_PORT, 1, .read = post_read, .write = post_write } },
    },
    {
        .name = "post-2",
        DEVICE_WITHOUT_STATE(struct pc, post_2),
        .ranges = { { POST_PORT_2, 1, .read = post_read, .write = post_write } },
    },
    {
        .name = "firmware-debug",
        .kernels_only = true,
        DEVICE_WITHOUT_STATE(struct pc, firmware_debug),
        .ranges = { { FIRMWARE_DEBUG_PORT, 1, .read = debug_console_read,
                      .write = debug_console_write } },
    },
    {
        .name = "i8042",
        .kernels_only = true,
        DEVICE_WITH_STATE(struct pc, i8042, status),
        .reset = i8042_reset,
        .ranges = { { KEYBOARD_DATA_PORT, 1, .read = i8042_read_data, .write = i8042_write_data },
                    { KEYBOARD_PORT, 1, .read = i8042_read_status, .write = i8042_write_command } },
    },
    {
        .name = "reset-control",
        .kernels_only = true,
        DEVICE_WITH_STATE(struct pc, reset_control, value),
        .ranges = { { RESET_CONTROL_BASE, RESET_CONTROL_PORTS, .read = reset_control_read,
                      .write_wide = reset_control_write, .widths = RESET_CONTROL_WIDTHS } },
    },
    {
        .name = "cmos",
        .kernels_only = true,
        DEVICE_WITH_STATE(struct pc, cmos, index),
        .reset = cmos_reset,
        .ranges = { { CMOS_PORT, CMOS_PORTS, .read = cmos_read, .write = cmos_write } },
    },
    {
        .name = "acpi-pm",
        .kernels_only = true,
        DEVICE_WITH_STATE(struct pc, acpi_pm, enable),
        .reset = acpi_pm_reset,
        .ranges = { { ACPI_TABLES_PM_PORT, ACPI_PM_REGISTERS_SIZE, .read = acpi_pm_read,
                      .write = acpi_pm_write },
                    { ACPI_TABLES_PM_PORT + ACPI_PM_TIMER, ACPI_PM_TIMER_SIZE,
                      .read_wide = acpi_pm_read_timer, .widths = ACPI_PM_TIMER_WIDTHS } },
    },
    {
        .name = "fw-cfg",
        .kernels_only = true,
        DEVICE_WITH_STATE(struct pc, fw_cfg, key),
        .ranges = { { FW_CFG_PORT, FW_CFG_PORTS, .read = fw_cfg_read, .write_wide = fw_cfg_write,
                      .widths = FW_CFG_WIDTHS } },
    },
};

const struct device_table arch_devices = { rows, sizeof(rows) / sizeof(rows[0]) };

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

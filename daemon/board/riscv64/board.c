/*
 * The board of a riscv64 guest, at the addresses of QEMU's virt machine. A bare one has what it
 * needs to print, to read and to end; "virt" has an interrupt controller besides, and a device
 * tree.
 */
#include "board/arch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "board/riscv64/device_tree.h"
#include "device/finisher.h"
#include "device/plic.h"
#include "guests/riscv64/board.h"
#include "kvm/riscv64/boot_registers.h"
#include "kvm/riscv64/hart.h"
#include "util/cleanup.h"

const enum board_kind board_of_kernels = BOARD_VIRT;

static_assert((int)PLIC_CONTEXTS_MAX >= (int)MACHINE_CPUS_MAX, "a context for each hart");

enum { SEED_SIZE = 32 };

struct virt {
    struct board board;
    struct finisher finisher;
    struct plic plic;
};

const size_t arch_board_size = sizeof(struct virt);
const enum io_space arch_device_space = IO_SPACE_MEMORY;
const uint64_t arch_uart_address = UART_ADDRESS;

static void set_external(void *context, unsigned hart, bool level)
{
    const struct machine *machine = context;

    hart_interrupt(&machine->vcpus[hart], level);
}

struct interrupt_line arch_uart_line(struct board *board)
{
    struct virt *virt = (struct virt *)board;

    return (struct interrupt_line){
        .set = board->machine->config.interrupts ? plic_set : NULL,
        .context = &virt->plic,
        .irq = UART_IRQ,
    };
}

void arch_wire_devices(struct board *board, const struct board_config *config)
{
    struct virt *virt = (struct virt *)board;
    struct machine *machine = board->machine;

    (void)config;
    plic_init(&virt->plic, machine->config.cpus, set_external, machine);
    virt->finisher.end = &machine->end;
}

static const struct device_row rows[] = {
    {
        .name = "uart",
        DEVICE_WITH_STATE(struct virt, board.uart, divisor_low),
        .reset = uart16550_reset,
        .ranges = { { UART_ADDRESS, UART16550_REGISTERS, .read = uart16550_read,
                      .write = uart16550_write } },
    },
    {
        .name = "hypercalls", /* by SBI calls: on no bus */
        DEVICE_WITH_STATE(struct virt, board.hypercalls, ring),
    },
    {
        .name = "finisher",
        DEVICE_WITHOUT_STATE(struct virt, finisher),
        .ranges = { { FINISHER_ADDRESS, FINISHER_SIZE, .read = finisher_read,
                      .write_wide = finisher_write, .widths = FINISHER_WIDTHS } },
    },
    {
        .name = "plic",
        .kernels_only = true,
        DEVICE_WITH_STATE(struct virt, plic, priorities),
        .ranges = { { PLIC_ADDRESS, PLIC_SIZE, .read_wide = plic_read, .write_wide = plic_write,
                      .widths = PLIC_WIDTHS } },
    },
};

const struct device_table arch_devices = { rows, sizeof(rows) / sizeof(rows[0]) };

/* At the end of memory, which loaders leave free unless the file says otherwise. */
static int place_device_tree(struct guest_memory *memory, const unsigned char *bytes,
                             struct boot *boot, struct error *err)
{
    gpa_t at = memory->base + memory->size - DEVICE_TREE_SIZE_MAX;

    if (boot->image_end > at)
        return error_set(err, -ENOEXEC,
                         "the image reaches into the last %d bytes of memory, where the device "
                         "tree goes; give it more memory, or machine 'bare'",
                         DEVICE_TREE_SIZE_MAX);
    boot->arguments[BOOT_A1] = at;
    return guest_memory_write(memory, at, bytes, DEVICE_TREE_SIZE_MAX);
}

static int describe_machine(struct machine *machine, const struct board_config *config,
                            struct error *err)
{
    _cleanup_free_ unsigned char *bytes = calloc(1, DEVICE_TREE_SIZE_MAX);
    unsigned char seed[SEED_SIZE];
    struct hart_description hart;
    struct device_tree tree;
    int r;

    if (!bytes)
        return error_set(err, -ENOMEM, "out of memory");
    hart_describe(&machine->vcpus[0], &hart);
    tree = (struct device_tree){
        .memory_base = machine->memory.base,
        .memory_size = machine->memory.size,
        .harts = machine->config.cpus,
        .timebase_hz = hart.timebase_hz,
        .isa = hart.isa,
        .mmu = hart.mmu,
        .command_line = config->command_line,
        .initrd = config->boot->initrd,
        .initrd_size = config->boot->initrd_size,
        .seed = getrandom(seed, sizeof(seed), GRND_NONBLOCK) == SEED_SIZE ? seed : NULL,
        .seed_size = sizeof(seed),
    };
    r = device_tree_build(&tree, bytes, err);
    if (r == 0)
        r = place_device_tree(&machine->memory, bytes, config->boot, err);
    return r;
}

int arch_describe_machine(struct machine *machine, const struct board_config *config,
                          struct error *err)
{
    return config->kind == BOARD_VIRT ? describe_machine(machine, config, err) : 0;
}

#include "board/riscv64/device_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libfdt.h>

#include "device/finisher.h"
#include "device/plic.h"
#include "device/uart16550.h"
#include "guests/riscv64/board.h"

/* Handles that nodes refer to each other by. Those of the harts' own controllers come after. */
enum { PHANDLE_PLIC = 1, PHANDLE_FINISHER, PHANDLE_HARTS };

enum {
    SUPERVISOR_EXTERNAL = 9, /* Privileged, "Supervisor Cause Register": its interrupt */
    UART_CLOCK_HZ = 1843200, /* a PC's; nobody looks at the divisor */
    NAME_SIZE = 40,
};

/* Sequential writes to libfdt, of which the first error counts. */
struct writer {
    void *fdt;
    int error;
};

static void note_error(struct writer *writer, int r)
{
    if (r < 0 && writer->error == 0)
        writer->error = r;
}

static void begin(struct writer *writer, const char *name)
{
    note_error(writer, fdt_begin_node(writer->fdt, name));
}

/* "serial@10000000" */
static void begin_at(struct writer *writer, const char *name, uint64_t address)
{
    char text[NAME_SIZE];

    snprintf(text, sizeof(text), "%s@%llx", name, (unsigned long long)address);
    begin(writer, text);
}

static void end(struct writer *writer)
{
    note_error(writer, fdt_end_node(writer->fdt));
}

static void add_bytes(struct writer *writer, const char *name, const void *data, size_t size)
{
    note_error(writer, fdt_property(writer->fdt, name, data, (int)size));
}

static void add_text(struct writer *writer, const char *name, const char *text)
{
    add_bytes(writer, name, text, strlen(text) + 1);
}

static void add_flag(struct writer *writer, const char *name)
{
    add_bytes(writer, name, NULL, 0);
}

static void add_u32(struct writer *writer, const char *name, uint32_t value)
{
    note_error(writer, fdt_property_u32(writer->fdt, name, value));
}

static void add_u64(struct writer *writer, const char *name, uint64_t value)
{
    note_error(writer, fdt_property_u64(writer->fdt, name, value));
}

/* Two cells each, as the root and the bus say. */
static void add_reg(struct writer *writer, uint64_t address, uint64_t size)
{
    const fdt64_t cells[] = { cpu_to_fdt64(address), cpu_to_fdt64(size) };

    add_bytes(writer, "reg", cells, sizeof(cells));
}

static void add_cells(struct writer *writer, uint32_t address_cells, uint32_t size_cells)
{
    add_u32(writer, "#address-cells", address_cells);
    add_u32(writer, "#size-cells", size_cells);
}

static void add_chosen(struct writer *writer, const struct device_tree *tree)
{
    char console[NAME_SIZE];

    begin(writer, "chosen");
    add_text(writer, "bootargs", tree->command_line);
    snprintf(console, sizeof(console), "/soc/serial@%x", UART_ADDRESS);
    add_text(writer, "stdout-path", console);
    if (tree->initrd_size > 0) {
        add_u64(writer, "linux,initrd-start", tree->initrd);
        add_u64(writer, "linux,initrd-end", tree->initrd + tree->initrd_size);
    }
    if (tree->seed)
        add_bytes(writer, "rng-seed", tree->seed, tree->seed_size);
    end(writer);
}

static void add_memory(struct writer *writer, const struct device_tree *tree)
{
    begin_at(writer, "memory", tree->memory_base);
    add_text(writer, "device_type", "memory");
    add_reg(writer, tree->memory_base, tree->memory_size);
    end(writer);
}

static void add_hart(struct writer *writer, const struct device_tree *tree, unsigned index)
{
    begin_at(writer, "cpu", index);
    add_text(writer, "device_type", "cpu");
    add_u32(writer, "reg", index);
    add_text(writer, "status", "okay");
    add_text(writer, "compatible", "riscv");
    add_text(writer, "riscv,isa", tree->isa);
    add_text(writer, "mmu-type", tree->mmu);
    begin(writer, "interrupt-controller");
    add_text(writer, "compatible", "riscv,cpu-intc");
    add_flag(writer, "interrupt-controller");
    add_u32(writer, "#interrupt-cells", 1);
    add_u32(writer, "phandle", PHANDLE_HARTS + index);
    end(writer);
    end(writer);
}

static void add_harts(struct writer *writer, const struct device_tree *tree)
{
    begin(writer, "cpus");
    add_cells(writer, 1, 0);
    add_u32(writer, "timebase-frequency", (uint32_t)tree->timebase_hz);
    for (unsigned i = 0; i < tree->harts; i++)
        add_hart(writer, tree, i);
    end(writer);
}

/* A context for each hart, in their order. */
static void add_plic(struct writer *writer, unsigned harts)
{
    static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";
    fdt32_t outputs[2 * PLIC_CONTEXTS_MAX];

    for (unsigned i = 0; i < harts; i++) {
        outputs[2 * i] = cpu_to_fdt32(PHANDLE_HARTS + i);
        outputs[2 * i + 1] = cpu_to_fdt32(SUPERVISOR_EXTERNAL);
    }
    begin_at(writer, "interrupt-controller", PLIC_ADDRESS);
    add_bytes(writer, "compatible", compatible, sizeof(compatible));
    add_reg(writer, PLIC_ADDRESS, PLIC_SIZE);
    add_flag(writer, "interrupt-controller");
    add_u32(writer, "#address-cells", 0);
    add_u32(writer, "#interrupt-cells", 1);
    add_bytes(writer, "interrupts-extended", outputs, harts * 2 * sizeof(outputs[0]));
    add_u32(writer, "riscv,ndev", PLIC_SOURCES - 1);
    add_u32(writer, "phandle", PHANDLE_PLIC);
    end(writer);
}

static void add_uart(struct writer *writer)
{
    begin_at(writer, "serial", UART_ADDRESS);
    add_text(writer, "compatible", "ns16550a");
    add_reg(writer, UART_ADDRESS, UART16550_REGISTERS);
    add_u32(writer, "clock-frequency", UART_CLOCK_HZ);
    add_u32(writer, "interrupts", UART_IRQ);
    add_u32(writer, "interrupt-parent", PHANDLE_PLIC);
    end(writer);
}

static void add_finisher(struct writer *writer)
{
    static const char compatible[] = "sifive,test1\0sifive,test0\0syscon";

    begin_at(writer, "test", FINISHER_ADDRESS);
    add_bytes(writer, "compatible", compatible, sizeof(compatible));
    add_reg(writer, FINISHER_ADDRESS, FINISHER_SIZE);
    add_u32(writer, "phandle", PHANDLE_FINISHER);
    end(writer);
}

/* For kernels that do not do it by the SBI. */
static void add_power(struct writer *writer, const char *name, const char *compatible,
                      uint32_t value)
{
    begin(writer, name);
    add_text(writer, "compatible", compatible);
    add_u32(writer, "regmap", PHANDLE_FINISHER);
    add_u32(writer, "offset", 0);
    add_u32(writer, "value", value);
    end(writer);
}

static void add_devices(struct writer *writer, const struct device_tree *tree)
{
    begin(writer, "soc");
    add_text(writer, "compatible", "simple-bus");
    add_cells(writer, 2, 2);
    add_flag(writer, "ranges");
    add_finisher(writer);
    add_plic(writer, tree->harts);
    add_uart(writer);
    end(writer);
}

int device_tree_build(const struct device_tree *tree, void *ret, struct error *err)
{
    struct writer writer = { .fdt = ret };

    note_error(&writer, fdt_create(ret, DEVICE_TREE_SIZE_MAX));
    note_error(&writer, fdt_finish_reservemap(ret));
    begin(&writer, "");
    add_text(&writer, "model", "vmmd virt");
    add_text(&writer, "compatible", "riscv-virtio"); /* the layout is that of QEMU's virt */
    add_cells(&writer, 2, 2);
    add_chosen(&writer, tree);
    add_memory(&writer, tree);
    add_harts(&writer, tree);
    add_devices(&writer, tree);
    add_power(&writer, "poweroff", "syscon-poweroff", FINISHER_PASS);
    add_power(&writer, "reboot", "syscon-reboot", FINISHER_RESET);
    end(&writer);
    note_error(&writer, fdt_finish(ret));
    if (writer.error < 0)
        return error_set(err, -ENOEXEC, "cannot build the device tree in %d bytes: %s",
                         DEVICE_TREE_SIZE_MAX, fdt_strerror(writer.error));
    return 0;
}

#include "unit_test.h"

#include <errno.h>
#include <string.h>

#include <libfdt.h>

#include "board/riscv64/device_tree.h"

static const struct device_tree two_harts = {
    .memory_base = 0x80000000,
    .memory_size = 0x8000000,
    .harts = 2,
    .timebase_hz = 10000000,
    .isa = "rv64imac_zba",
    .mmu = "riscv,sv48",
    .command_line = "console=ttyS0 quiet",
};

static unsigned char blob[DEVICE_TREE_SIZE_MAX];

static void build(const struct device_tree *tree)
{
    struct error err;

    memset(blob, 0, sizeof(blob));
    if (device_tree_build(tree, blob, &err) < 0)
        fail_msg("refused: %s", err.text);
    assert_int_equal(fdt_check_full(blob, sizeof(blob)), 0);
}

static const void *property(const char *path, const char *name, int size)
{
    int node = fdt_path_offset(blob, path), found;
    const void *value;

    if (node < 0)
        fail_msg("no node %s", path);
    value = fdt_getprop(blob, node, name, &found);
    if (!value)
        fail_msg("%s has no %s", path, name);
    assert_int_equal(found, size);
    return value;
}

static void assert_text(const char *path, const char *name, const char *expected)
{
    assert_string_equal(property(path, name, (int)strlen(expected) + 1), expected);
}

static uint32_t number(const char *path, const char *name)
{
    return fdt32_ld(property(path, name, 4));
}

static uint64_t wide_number(const char *path, const char *name)
{
    return fdt64_ld(property(path, name, 8));
}

static void assert_reg(const char *path, uint64_t address, uint64_t size)
{
    const fdt64_t *reg = property(path, "reg", 16);

    assert_int_equal(fdt64_ld(&reg[0]), address);
    assert_int_equal(fdt64_ld(&reg[1]), size);
}

static void memory_is_told(void **state)
{
    (void)state;
    build(&two_harts);
    assert_text("/memory@80000000", "device_type", "memory");
    assert_reg("/memory@80000000", 0x80000000, 0x8000000);
}

static void harts_are_told_with_what_they_can(void **state)
{
    (void)state;
    build(&two_harts);
    assert_int_equal(number("/cpus", "timebase-frequency"), 10000000);
    assert_int_equal(number("/cpus/cpu@1", "reg"), 1);
    assert_text("/cpus/cpu@0", "riscv,isa", "rv64imac_zba");
    assert_text("/cpus/cpu@1", "mmu-type", "riscv,sv48");
    assert_true(fdt_path_offset(blob, "/cpus/cpu@2") < 0);
}

/* Context n is hart n's supervisor external interrupt. */
static void plic_goes_to_the_controller_of_each_hart(void **state)
{
    const char *plic = "/soc/interrupt-controller@c000000";
    const fdt32_t *outputs;

    (void)state;
    build(&two_harts);
    outputs = property(plic, "interrupts-extended", 16);
    assert_int_equal(fdt32_ld(&outputs[0]), number("/cpus/cpu@0/interrupt-controller", "phandle"));
    assert_int_equal(fdt32_ld(&outputs[1]), 9);
    assert_int_equal(fdt32_ld(&outputs[2]), number("/cpus/cpu@1/interrupt-controller", "phandle"));
    assert_int_equal(fdt32_ld(&outputs[3]), 9);
    assert_int_equal(number(plic, "riscv,ndev"), 31);
    assert_reg(plic, 0xc000000, 0x4000000);
}

static void uart_is_the_console(void **state)
{
    const char *uart = "/soc/serial@10000000";

    (void)state;
    build(&two_harts);
    assert_text("/chosen", "stdout-path", uart);
    assert_text(uart, "compatible", "ns16550a");
    assert_reg(uart, 0x10000000, 8);
    assert_int_equal(number(uart, "interrupts"), 10);
    assert_int_equal(number(uart, "interrupt-parent"),
                     number("/soc/interrupt-controller@c000000", "phandle"));
}

static void finisher_powers_off_and_resets(void **state)
{
    uint32_t finisher;

    (void)state;
    build(&two_harts);
    assert_reg("/soc/test@100000", 0x100000, 0x1000);
    finisher = number("/soc/test@100000", "phandle");
    assert_text("/poweroff", "compatible", "syscon-poweroff");
    assert_int_equal(number("/poweroff", "regmap"), finisher);
    assert_int_equal(number("/poweroff", "value"), 0x5555);
    assert_text("/reboot", "compatible", "syscon-reboot");
    assert_int_equal(number("/reboot", "regmap"), finisher);
    assert_int_equal(number("/reboot", "value"), 0x7777);
}

static void command_line_is_passed_on(void **state)
{
    (void)state;
    build(&two_harts);
    assert_text("/chosen", "bootargs", "console=ttyS0 quiet");
}

static void initrd_is_told_if_there_is_one(void **state)
{
    struct device_tree tree = two_harts;

    (void)state;
    build(&tree);
    assert_null(fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "linux,initrd-start", NULL));
    tree.initrd = 0x87000000;
    tree.initrd_size = 0x1234;
    build(&tree);
    assert_int_equal(wide_number("/chosen", "linux,initrd-start"), 0x87000000);
    assert_int_equal(wide_number("/chosen", "linux,initrd-end"), 0x87001234);
}

static void seed_is_passed_on_if_there_is_one(void **state)
{
    static const unsigned char seed[] = { 1, 2, 3, 4 };
    struct device_tree tree = two_harts;

    (void)state;
    tree.seed = seed;
    tree.seed_size = sizeof(seed);
    build(&tree);
    assert_memory_equal(property("/chosen", "rng-seed", sizeof(seed)), seed, sizeof(seed));
}

static void what_is_too_long_is_refused(void **state)
{
    static char text[DEVICE_TREE_SIZE_MAX];
    struct device_tree tree = two_harts;
    struct error err;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    tree.command_line = text;
    assert_int_equal(device_tree_build(&tree, blob, &err), -ENOEXEC);
    assert_string_equal(err.text, "cannot build the device tree in 65536 bytes: FDT_ERR_NOSPACE");
}

static void as_many_harts_as_there_may_be_fit(void **state)
{
    struct device_tree tree = two_harts;

    (void)state;
    tree.harts = 16;
    build(&tree);
    assert_int_equal(number("/cpus/cpu@f", "reg"), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_told),
        cmocka_unit_test(harts_are_told_with_what_they_can),
        cmocka_unit_test(plic_goes_to_the_controller_of_each_hart),
        cmocka_unit_test(uart_is_the_console),
        cmocka_unit_test(finisher_powers_off_and_resets),
        cmocka_unit_test(command_line_is_passed_on),
        cmocka_unit_test(initrd_is_told_if_there_is_one),
        cmocka_unit_test(seed_is_passed_on_if_there_is_one),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(as_many_harts_as_there_may_be_fit),
    };

    return cmocka_run_group_tests_name("device_tree", tests, NULL, NULL);
}

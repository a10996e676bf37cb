#include "unit_test.h"

#include "device/fw_cfg.h"
#include "kvm/bus.h"

enum { SELECTOR = 0x510, DATA = 0x511 };

#define MEMORY UINT64_C(0x123456789000)

struct machine_end {
    struct fw_cfg fw_cfg;
    struct bus bus;
};

static void set_up(struct machine_end *end)
{
    *end = (struct machine_end){ .bus.count = 0 };
    fw_cfg_init(&end->fw_cfg, MEMORY, 3);
    bus_add(&end->bus, (struct bus_range){ .base = SELECTOR,
                                           .size = FW_CFG_PORTS,
                                           .read = fw_cfg_read,
                                           .write_wide = fw_cfg_write,
                                           .widths = FW_CFG_WIDTHS,
                                           .device = &end->fw_cfg });
}

static void out(struct machine_end *end, uint64_t port, uint32_t value, unsigned size)
{
    bus_write(&end->bus, port, &value, size);
}

static uint8_t in(struct machine_end *end, uint64_t port)
{
    uint8_t byte;

    bus_read(&end->bus, port, &byte, 1);
    return byte;
}

static void assert_item(struct machine_end *end, uint16_t key, const void *expected, size_t size)
{
    out(end, SELECTOR, key, 2);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(in(end, DATA), ((const uint8_t *)expected)[i]);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(in(end, DATA), 0);
}

static void signature_is_qemus(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    assert_item(&end, 0x00, "QEMU", 4);
}

static void id_offers_no_dma(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    assert_item(&end, 0x01, "\x01\x00\x00\x00", 4);
}

static void memory_size_and_cpus_are_told(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    assert_item(&end, 0x03, "\x00\x90\x78\x56\x34\x12\x00\x00", 8);
    assert_item(&end, 0x05, "\x03\x00", 2);
    assert_item(&end, 0x0f, "\x03\x00", 2);
}

static void selecting_an_item_again_starts_it_again(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    out(&end, SELECTOR, 0x00, 2);
    in(&end, DATA);
    in(&end, DATA);
    assert_item(&end, 0x00, "QEMU", 4);
}

/* Among them 0x19, the directory of files: its count is then 0. */
static void item_that_is_not_there_is_zeros(void **state)
{
    static const uint16_t keys[] = { 0x02, 0x04, 0x19, 0x20, 0x8000, 0xffff };
    struct machine_end end;

    (void)state;
    set_up(&end);
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_item(&end, keys[i], "", 0);
}

static void bit_for_writing_selects_the_same_item(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    assert_item(&end, 0x4000, "QEMU", 4);
}

static void only_a_word_selects(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    out(&end, SELECTOR, 0x00, 2);
    out(&end, SELECTOR, 0x03, 1);
    out(&end, DATA, 0x03, 1);
    assert_int_equal(in(&end, DATA), 'Q');
}

static void selector_cannot_be_read(void **state)
{
    struct machine_end end;

    (void)state;
    set_up(&end);
    out(&end, SELECTOR, 0x00, 2);
    assert_int_equal(in(&end, SELECTOR), 0xff);
    assert_int_equal(in(&end, DATA), 'Q');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_is_qemus),
        cmocka_unit_test(id_offers_no_dma),
        cmocka_unit_test(memory_size_and_cpus_are_told),
        cmocka_unit_test(selecting_an_item_again_starts_it_again),
        cmocka_unit_test(item_that_is_not_there_is_zeros),
        cmocka_unit_test(bit_for_writing_selects_the_same_item),
        cmocka_unit_test(only_a_word_selects),
        cmocka_unit_test(selector_cannot_be_read),
    };

    return cmocka_run_group_tests_name("fw_cfg", tests, NULL, NULL);
}

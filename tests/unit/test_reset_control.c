#include "unit_test.h"

#include "device/reset_control.h"
#include "kvm/bus.h"

struct machine_end {
    struct guest_end end;
    struct reset_control device;
    struct bus bus;
};

static void set_up(struct machine_end *machine)
{
    *machine = (struct machine_end){ .device.end = &machine->end };
    bus_add(&machine->bus, (struct bus_range){ .base = RESET_CONTROL_BASE,
                                               .size = RESET_CONTROL_PORTS,
                                               .read = reset_control_read,
                                               .write_wide = reset_control_write,
                                               .widths = RESET_CONTROL_WIDTHS,
                                               .device = &machine->device });
}

static void out(struct machine_end *machine, uint64_t port, uint32_t value, unsigned size)
{
    bus_write(&machine->bus, port, &value, size);
}

static void reset_bit_resets_the_machine(void **state)
{
    struct machine_end machine;

    (void)state;
    set_up(&machine);
    out(&machine, 0xcf9, 0x06, 1);
    assert_int_equal(machine.end.reason, GUEST_END_GUEST_EXIT);
    assert_int_equal(machine.end.code, 0);
    assert_string_equal(machine.end.message,
                        "the guest reset the machine (by the reset control register, port 0xcf9)");
}

static void kind_of_reset_alone_resets_nothing_and_is_kept(void **state)
{
    struct machine_end machine;
    uint8_t value = 0xff;

    (void)state;
    set_up(&machine);
    bus_read(&machine.bus, 0xcf9, &value, 1);
    assert_int_equal(value, 0);
    out(&machine, 0xcf9, 0x02, 1);
    bus_read(&machine.bus, 0xcf9, &value, 1);
    assert_int_equal(value, 0x02);
    assert_int_equal(machine.end.reason, GUEST_END_NONE);
}

/* 0x80000400: bus 0, device 0, function 4; its second byte has the reset bit */
static void probe_for_pci_resets_nothing(void **state)
{
    struct machine_end machine;
    uint32_t value = 0;

    (void)state;
    set_up(&machine);
    out(&machine, 0xcf8, 0x80000400, 4);
    out(&machine, 0xcf8, 0x0400, 2);
    out(&machine, 0xcfb, 0x06, 1);
    out(&machine, 0xcf9, 0x0606, 2);
    out(&machine, 0xcf9, 0x06060606, 4);
    assert_int_equal(machine.end.reason, GUEST_END_NONE);
    bus_read(&machine.bus, 0xcf8, &value, 4);
    assert_int_not_equal(value, 0x80000400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_bit_resets_the_machine),
        cmocka_unit_test(kind_of_reset_alone_resets_nothing_and_is_kept),
        cmocka_unit_test(probe_for_pci_resets_nothing),
    };

    return cmocka_run_group_tests_name("reset_control", tests, NULL, NULL);
}

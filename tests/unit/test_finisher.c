#include "unit_test.h"

#include "device/finisher.h"
#include "guests/riscv64/board.h"
#include "kvm/bus.h"

static struct guest_end write_to(uint64_t offset, uint64_t value, unsigned size)
{
    struct guest_end end = { .reason = GUEST_END_NONE };
    struct finisher finisher = { .end = &end };
    struct bus bus = { 0 };

    bus_add(&bus, (struct bus_range){ .base = FINISHER_ADDRESS,
                                      .size = FINISHER_SIZE,
                                      .read = finisher_read,
                                      .write_wide = finisher_write,
                                      .widths = FINISHER_WIDTHS,
                                      .device = &finisher });
    bus_write(&bus, FINISHER_ADDRESS + offset, &value, size);
    return end;
}

static void assert_exit(uint64_t value, unsigned size, int code, const char *message)
{
    struct guest_end end = write_to(0, value, size);

    assert_int_equal(end.reason, GUEST_END_GUEST_EXIT);
    assert_int_equal(end.code, code);
    assert_string_equal(end.message, message);
}

static void pass_is_code_0(void **state)
{
    (void)state;
    assert_exit(FINISHER_PASS, 4, 0, "the guest exited with code 0");
    assert_exit(FINISHER_PASS, 2, 0, "the guest exited with code 0");
    assert_exit(FINISHER_PASS, 8, 0, "the guest exited with code 0");
}

static void fail_has_its_code_in_the_upper_half(void **state)
{
    (void)state;
    assert_exit(42u << 16 | FINISHER_FAIL, 4, 42, "the guest exited with code 42");
    assert_exit(255u << 16 | FINISHER_FAIL, 4, 255, "the guest exited with code 255");
    assert_exit(256u << 16 | FINISHER_FAIL, 4, 255, "the guest exited with code 255");
}

static void reset_ends_the_guest_as_well(void **state)
{
    (void)state;
    assert_exit(FINISHER_RESET, 4, 0, "the guest reset the machine (test finisher)");
}

static void other_writes_do_nothing(void **state)
{
    (void)state;
    assert_int_equal(write_to(0, 0x1234, 4).reason, GUEST_END_NONE);
    assert_int_equal(write_to(0, 0x55, 1).reason, GUEST_END_NONE);
    assert_int_equal(write_to(4, FINISHER_PASS, 4).reason, GUEST_END_NONE);
    assert_int_equal(write_to(1, FINISHER_PASS, 2).reason, GUEST_END_NONE);
}

static void it_reads_as_0(void **state)
{
    (void)state;
    assert_int_equal(finisher_read(NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pass_is_code_0),
        cmocka_unit_test(fail_has_its_code_in_the_upper_half),
        cmocka_unit_test(reset_ends_the_guest_as_well),
        cmocka_unit_test(other_writes_do_nothing),
        cmocka_unit_test(it_reads_as_0),
    };

    return cmocka_run_group_tests_name("finisher", tests, NULL, NULL);
}

#include "unit_test.h"

#include "device/debug_exit.h"
#include "kvm/bus.h"

enum { PORT = 0xf4 };

static void write_port(struct guest_end *end, uint32_t value, unsigned size)
{
    struct debug_exit device = { .end = end };
    struct bus bus = { 0 };

    *end = (struct guest_end){ .reason = GUEST_END_NONE };
    bus_add(&bus, (struct bus_range){ .base = PORT,
                                      .size = DEBUG_EXIT_PORTS,
                                      .read = debug_exit_read,
                                      .write_wide = debug_exit_write,
                                      .widths = DEBUG_EXIT_WIDTHS,
                                      .device = &device });
    bus_write(&bus, PORT, &value, size);
}

static void byte_written_ends_the_guest_with_qemus_code(void **state)
{
    struct guest_end end;

    (void)state;
    write_port(&end, 0x10, 1);
    assert_int_equal(end.reason, GUEST_END_GUEST_EXIT);
    assert_int_equal(end.code, 33);
    assert_string_equal(end.message,
                        "the guest exited with code 33 (it wrote 16 to the debug exit port)");
}

static void word_and_double_word_are_one_write(void **state)
{
    struct guest_end end;

    (void)state;
    write_port(&end, 0x0010, 2);
    assert_int_equal(end.code, 33);
    write_port(&end, 0x00000011, 4);
    assert_int_equal(end.code, 35);
}

static void code_has_8_bits_as_a_process_has(void **state)
{
    struct guest_end end;

    (void)state;
    write_port(&end, 0x80, 1);
    assert_int_equal(end.code, 1);
    write_port(&end, 0xffffffff, 4);
    assert_int_equal(end.code, 255);
    assert_string_equal(
        end.message, "the guest exited with code 255 (it wrote 4294967295 to the debug exit port)");
}

static void reading_gives_0_and_ends_nothing(void **state)
{
    struct guest_end end = { .reason = GUEST_END_NONE };
    struct debug_exit device = { .end = &end };

    (void)state;
    assert_int_equal(debug_exit_read(&device, 0), 0);
    assert_int_equal(end.reason, GUEST_END_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_written_ends_the_guest_with_qemus_code),
        cmocka_unit_test(word_and_double_word_are_one_write),
        cmocka_unit_test(code_has_8_bits_as_a_process_has),
        cmocka_unit_test(reading_gives_0_and_ends_nothing),
    };

    return cmocka_run_group_tests_name("debug_exit", tests, NULL, NULL);
}

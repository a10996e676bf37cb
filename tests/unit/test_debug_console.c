#include "unit_test.h"

#include "captured_console.h"
#include "device/debug_console.h"

static void bytes_written_are_printed(void **state)
{
    struct captured_console captured;
    struct debug_console device = { .console = &captured.console };

    (void)state;
    captured_console_init(&captured);
    debug_console_write(&device, 0, 'o');
    debug_console_write(&device, 0, 'k');
    assert_printed(&captured, "ok");
}

static void reading_gives_the_ports_number(void **state)
{
    struct captured_console captured;
    struct debug_console device = { .console = &captured.console };

    (void)state;
    captured_console_init(&captured);
    assert_int_equal(debug_console_read(&device, 0), 0xe9);
    assert_printed(&captured, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_written_are_printed),
        cmocka_unit_test(reading_gives_the_ports_number),
    };

    return cmocka_run_group_tests_name("debug_console", tests, NULL, NULL);
}

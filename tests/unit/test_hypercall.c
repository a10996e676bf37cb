#include "unit_test.h"

#include "captured_console.h"
#include "captured_stderr.h"
#include "device/hypercall.h"
#include "guests/hypercall.h"
#include "guests/x86/board.h"
#include "shared/hypercall_name.h"

struct caller {
    struct captured_console captured;
    struct exit_stats stats;
    struct guest_end end;
    struct hypercall_device device;
};

static void set_up(struct caller *caller)
{
    *caller = (struct caller){ .end = { .reason = GUEST_END_NONE } };
    captured_console_init(&caller->captured);
    caller->device = (struct hypercall_device){
        .console = &caller->captured.console,
        .stats = &caller->stats,
        .end = &caller->end,
        .vm_id = 7,
        .vm_name = "lab1",
    };
}

/* Of those that need no vCPU. */
static enum hypercall_outcome try_call(struct caller *caller, unsigned number, uint64_t argument)
{
    const struct hypercall hypercall = { .number = number, .argument = argument };
    uint64_t result;

    return hypercall_device_call(&caller->device, NULL, &hypercall, &result);
}

static void call(struct caller *caller, unsigned number, uint64_t argument)
{
    assert_int_equal(try_call(caller, number, argument), HYPERCALL_DONE);
}

static void exit_ends_the_guest_with_code_0(void **state)
{
    struct caller caller;

    (void)state;
    set_up(&caller);
    call(&caller, HC_EXIT, 0xbeef);
    assert_int_equal(caller.end.reason, GUEST_END_GUEST_EXIT);
    assert_int_equal(caller.end.code, 0);
    assert_string_equal(caller.end.message, "the guest exited with code 0");
    assert_printed(&caller.captured, "");
}

static void putchar_prints_the_low_byte(void **state)
{
    struct caller caller;

    (void)state;
    set_up(&caller);
    call(&caller, HC_PUTCHAR, 0xff00 | 'A');
    call(&caller, HC_PUTCHAR, 'b');
    assert_printed(&caller.captured, "Ab");
    assert_int_equal(caller.end.reason, GUEST_END_NONE);
}

static void putchar_prints_any_byte(void **state)
{
    struct caller caller;

    (void)state;
    set_up(&caller);
    for (unsigned byte = 0; byte < 256; byte++)
        call(&caller, HC_PUTCHAR, byte);
    assert_int_equal(caller.captured.length, 256);
    for (unsigned byte = 0; byte < 256; byte++)
        assert_int_equal((uint8_t)caller.captured.text[byte], byte);
}

static void putnum_prints_unsigned_without_leading_zeros(void **state)
{
    struct caller caller;

    (void)state;
    set_up(&caller);
    call(&caller, HC_PUTNUM, 0);
    assert_printed(&caller.captured, "0");
    call(&caller, HC_PUTNUM, 42);
    assert_printed(&caller.captured, "42");
    call(&caller, HC_PUTNUM, 1234);
    assert_printed(&caller.captured, "1234");
    call(&caller, HC_PUTNUM, 0xffff);
    assert_printed(&caller.captured, "65535");
}

static void putnum_takes_what_the_register_holds(void **state)
{
    struct caller caller;

    (void)state;
    set_up(&caller);
    call(&caller, HC_PUTNUM, UINT64_MAX);
    assert_printed(&caller.captured, "18446744073709551615");
}

static void newline_prints_a_line_feed(void **state)
{
    struct caller caller;

    (void)state;
    set_up(&caller);
    call(&caller, HC_NEWLINE, 'x');
    assert_printed(&caller.captured, "\n");
}

static void each_call_is_counted_by_its_number(void **state)
{
    struct caller caller;

    (void)state;
    set_up(&caller);
    for (unsigned i = 0; i < 3; i++)
        call(&caller, HC_PUTCHAR, 'x');
    call(&caller, HC_NEWLINE, 0);
    assert_int_equal(caller.stats.hypercalls[HC_PUTCHAR], 3);
    assert_int_equal(caller.stats.hypercalls[HC_NEWLINE], 1);
    assert_int_equal(caller.stats.hypercalls[HC_PUTNUM], 0);
    assert_int_equal(caller.stats.unknown_hypercalls, 0);
}

static void unknown_number_is_counted_and_does_nothing(void **state)
{
    struct captured_stderr captured;
    struct caller caller;
    unsigned unknown = 0;
    char logged[1024];

    (void)state;
    set_up(&caller);
    captured_stderr_begin(&captured);
    for (unsigned number = 0; number < 256; number++) {
        if (hypercall_name(number))
            continue;
        assert_int_equal(try_call(&caller, number, 'x'), HYPERCALL_UNKNOWN);
        unknown++;
    }
    captured_stderr_end(&captured, logged, sizeof(logged));

    assert_int_equal(caller.stats.unknown_hypercalls, unknown);
    for (unsigned i = 0; i < EXIT_STATS_HYPERCALLS; i++)
        assert_int_equal(caller.stats.hypercalls[i], 0);
    assert_int_equal(caller.end.reason, GUEST_END_NONE);
    assert_printed(&caller.captured, "");
}

static void unknown_number_is_logged_once_for_a_vm(void **state)
{
    struct captured_stderr captured;
    struct caller caller;
    char logged[1024];

    (void)state;
    set_up(&caller);
    captured_stderr_begin(&captured);
    try_call(&caller, 0xfe, 0);
    try_call(&caller, 0xff, 0);
    captured_stderr_end(&captured, logged, sizeof(logged));
    assert_string_equal(logged, "vmmd: warning: VM 'lab1': hypercall 0xfe does not exist, ignoring "
                                "it and further ones\n");
}

/* guests/hypercall.h and the table of calls */
static void each_number_of_the_guest_abi_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(hypercall_name(HC_EXIT), "HC_EXIT");
    assert_string_equal(hypercall_name(HC_PUTCHAR), "HC_PUTCHAR");
    assert_string_equal(hypercall_name(HC_PUTNUM), "HC_PUTNUM");
    assert_string_equal(hypercall_name(HC_NEWLINE), "HC_NEWLINE");
    assert_null(hypercall_name(0xff));
}

/* Guests written for other monitors use them: they are fixed for good. */
static void numbers_that_existing_guests_use_do_not_change(void **state)
{
    (void)state;
    assert_int_equal(HYPERCALL_PORT, 0x500);
    assert_int_equal(HC_EXIT, 0);
    assert_int_equal(HC_PUTCHAR, 1);
    assert_int_equal(HC_PUTNUM, 2);
    assert_int_equal(HC_NEWLINE, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_ends_the_guest_with_code_0),
        cmocka_unit_test(putchar_prints_the_low_byte),
        cmocka_unit_test(putchar_prints_any_byte),
        cmocka_unit_test(putnum_prints_unsigned_without_leading_zeros),
        cmocka_unit_test(putnum_takes_what_the_register_holds),
        cmocka_unit_test(newline_prints_a_line_feed),
        cmocka_unit_test(each_call_is_counted_by_its_number),
        cmocka_unit_test(unknown_number_is_counted_and_does_nothing),
        cmocka_unit_test(unknown_number_is_logged_once_for_a_vm),
        cmocka_unit_test(each_number_of_the_guest_abi_has_its_name),
        cmocka_unit_test(numbers_that_existing_guests_use_do_not_change),
    };

    return cmocka_run_group_tests_name("hypercall", tests, NULL, NULL);
}

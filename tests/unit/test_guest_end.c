#include "unit_test.h"

#include <string.h>

#include "shared/guest_end.h"

static void set_stores_reason_code_and_sentence(void **state)
{
    struct guest_end end = { 0 };

    (void)state;
    guest_end_set(&end, GUEST_END_GUEST_EXIT, 3, "the guest exited with code %d", 3);
    assert_int_equal(end.reason, GUEST_END_GUEST_EXIT);
    assert_int_equal(end.code, 3);
    assert_string_equal(end.message, "the guest exited with code 3");
}

static void the_first_end_counts(void **state)
{
    struct guest_end end = { 0 };

    (void)state;
    guest_end_set(&end, GUEST_END_HALTED, 0, "the guest halted");
    guest_end_set(&end, GUEST_END_ERROR, 1, "too late");
    assert_int_equal(end.reason, GUEST_END_HALTED);
    assert_int_equal(end.code, 0);
    assert_string_equal(end.message, "the guest halted");
}

static void sentence_too_long_is_cut_and_terminated(void **state)
{
    char text[2 * GUEST_END_MESSAGE_SIZE];
    struct guest_end end = { 0 };

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    guest_end_set(&end, GUEST_END_ERROR, 0, "%s", text);
    assert_int_equal(strlen(end.message), GUEST_END_MESSAGE_SIZE - 1);
    assert_int_equal(end.registers.count, 0);
}

/* The words of design and openrpc.json; test_methods holds the latter against them. */
static void every_reason_has_the_word_of_the_wire(void **state)
{
    static const char *const words[] = { "none",        "halted",     "guest-exit", "stopped",
                                         "killed",      "timeout",    "shutdown",   "error",
                                         "daemon-lost", "worker-lost" };

    (void)state;
    assert_int_equal(sizeof(words) / sizeof(words[0]), GUEST_END_COUNT);
    for (unsigned i = 0; i < GUEST_END_COUNT; i++)
        assert_string_equal(guest_end_reason_to_string((enum guest_end_reason)i), words[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_stores_reason_code_and_sentence),
        cmocka_unit_test(the_first_end_counts),
        cmocka_unit_test(sentence_too_long_is_cut_and_terminated),
        cmocka_unit_test(every_reason_has_the_word_of_the_wire),
    };

    return cmocka_run_group_tests_name("guest_end", tests, NULL, NULL);
}

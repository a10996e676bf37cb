#include "unit_test.h"

#include "device/post.h"

static void there_is_no_code_before_one_is_written(void **state)
{
    struct post_codes codes = { 0 };
    struct post post = { .code = &codes.port_80 };
    uint8_t code = 0x5a;

    (void)state;
    assert_false(post_code_get(&codes.port_80, &code));
    assert_int_equal(code, 0x5a);
    assert_int_equal(post_read(&post, 0), 0xff);
}

static void last_code_is_kept(void **state)
{
    struct post_codes codes = { 0 };
    struct post post = { .code = &codes.port_80 };
    uint8_t code;

    (void)state;
    post_write(&post, 0, 0x31);
    post_write(&post, 0, 0x32);
    assert_true(post_code_get(&codes.port_80, &code));
    assert_int_equal(code, 0x32);
    assert_int_equal(post_read(&post, 0), 0x32);
}

static void code_0_is_a_code(void **state)
{
    struct post_codes codes = { 0 };
    struct post post = { .code = &codes.port_80 };
    uint8_t code = 0x5a;

    (void)state;
    post_write(&post, 0, 0);
    assert_true(post_code_get(&codes.port_80, &code));
    assert_int_equal(code, 0);
}

static void each_port_has_its_own(void **state)
{
    struct post_codes codes = { 0 };
    struct post post = { .code = &codes.port_190 };
    uint8_t code;

    (void)state;
    post_write(&post, 0, 0x77);
    assert_false(post_code_get(&codes.port_80, &code));
    assert_true(post_code_get(&codes.port_190, &code));
    assert_int_equal(code, 0x77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_no_code_before_one_is_written),
        cmocka_unit_test(last_code_is_kept),
        cmocka_unit_test(code_0_is_a_code),
        cmocka_unit_test(each_port_has_its_own),
    };

    return cmocka_run_group_tests_name("post", tests, NULL, NULL);
}

#include "unit_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base64.h"

/* RFC 4648 section 10 */
static const struct {
    const char *bytes, *text;
} rfc_vectors[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
};

enum { RFC_VECTOR_COUNT = sizeof(rfc_vectors) / sizeof(rfc_vectors[0]) };

/* Into memory of exactly the size the header asks for, so that a sanitizer sees one byte too many.
 */
static int decode(const char *text, size_t length, unsigned char **ret, size_t *ret_size)
{
    *ret = malloc(length / 4 * 3 + (length < 4));
    assert_non_null(*ret);
    return base64_decode(text, length, *ret, ret_size);
}

static void assert_refused(const char *text, size_t length)
{
    unsigned char *bytes;
    size_t size = 4711;
    int r = decode(text, length, &bytes, &size);

    if (r != -EINVAL)
        fail_msg("'%s' was accepted", text);
    assert_int_equal(size, 4711);
    free(bytes);
}

static void encodes_the_vectors_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < RFC_VECTOR_COUNT; i++) {
        char text[9] = { 0 };
        size_t length = base64_encode(rfc_vectors[i].bytes, strlen(rfc_vectors[i].bytes), text);

        assert_string_equal(text, rfc_vectors[i].text);
        assert_int_equal(length, strlen(text));
    }
}

static void decodes_the_vectors_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < RFC_VECTOR_COUNT; i++) {
        const char *text = rfc_vectors[i].text;
        unsigned char *bytes;
        size_t size;

        assert_int_equal(decode(text, strlen(text), &bytes, &size), 0);
        assert_int_equal(size, strlen(rfc_vectors[i].bytes));
        assert_memory_equal(bytes, rfc_vectors[i].bytes, size);
        free(bytes);
    }
}

static void length_counts_the_padding(void **state)
{
    (void)state;
    assert_int_equal(BASE64_LENGTH(0), 0);
    assert_int_equal(BASE64_LENGTH(1), 4);
    assert_int_equal(BASE64_LENGTH(3), 4);
    assert_int_equal(BASE64_LENGTH(4), 8);
}

static void every_byte_at_every_place_comes_back(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 7; size++) {
        for (size_t place = 0; place < size; place++) {
            for (int value = 0; value < 256; value++) {
                unsigned char in[7] = { 0xa5, 0x5a, 0xff, 0x00, 0x81, 0x7e, 0x3c }, *out;
                char text[BASE64_LENGTH(7)];
                size_t length, out_size;

                in[place] = (unsigned char)value;
                length = base64_encode(in, size, text);
                assert_int_equal(length, BASE64_LENGTH(size));
                assert_int_equal(decode(text, length, &out, &out_size), 0);
                assert_int_equal(out_size, size);
                assert_memory_equal(out, in, size);
                free(out);
            }
        }
    }
}

static void refuses_a_length_that_is_not_a_multiple_of_four(void **state)
{
    (void)state;
    assert_refused("Zm9vYmFy", 1);
    assert_refused("Zm9vYmFy", 2);
    assert_refused("Zm9vYmFy", 3);
    assert_refused("Zm9vYmFy", 7);
    assert_refused("Zg", 2);
    assert_refused("Zm9vYg=", 7);
}

static void refuses_padding_anywhere_but_at_the_end(void **state)
{
    (void)state;
    assert_refused("Zg==Zg==", 8);
    assert_refused("Z=g=", 4);
    assert_refused("=Zg=", 4);
    assert_refused("Zm=v", 4);
    assert_refused("=m9v", 4);
}

static void refuses_more_padding_than_two(void **state)
{
    (void)state;
    assert_refused("Z===", 4);
    assert_refused("====", 4);
    assert_refused("Zm9v====", 8);
}

static void refuses_unused_bits_that_are_not_zero(void **state)
{
    (void)state;
    assert_refused("Zh==", 4); /* Zg== is "f" */
    assert_refused("Zv==", 4);
    assert_refused("Zm9=", 4); /* Zm8= is "fo" */
    assert_refused("Zm+=", 4);
}

static void refuses_every_character_outside_the_alphabet(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t place = 0; place < 4; place++) {
            char text[] = "Zm9vAAAA";
            unsigned char *bytes;
            size_t size;

            text[place] = (char)c;
            if (c != 0 && strchr(alphabet, c)) {
                assert_int_equal(decode(text, 8, &bytes, &size), 0);
                free(bytes);
            } else {
                assert_refused(text, 8);
            }
        }
    }
}

static void refuses_white_space(void **state)
{
    (void)state;
    assert_refused("Zm9v\nZm9", 8);
    assert_refused(" Zm9vZm9", 8);
    assert_refused("Zg==\r\n\r\n", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_the_vectors_of_the_rfc),
        cmocka_unit_test(decodes_the_vectors_of_the_rfc),
        cmocka_unit_test(length_counts_the_padding),
        cmocka_unit_test(every_byte_at_every_place_comes_back),
        cmocka_unit_test(refuses_a_length_that_is_not_a_multiple_of_four),
        cmocka_unit_test(refuses_padding_anywhere_but_at_the_end),
        cmocka_unit_test(refuses_more_padding_than_two),
        cmocka_unit_test(refuses_unused_bits_that_are_not_zero),
        cmocka_unit_test(refuses_every_character_outside_the_alphabet),
        cmocka_unit_test(refuses_white_space),
    };

    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}

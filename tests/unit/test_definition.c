#include "unit_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shared/definition.h"
#include "shared/vm_record.h"

typedef const char *(*word_fn)(unsigned value);

static const char *format_word(unsigned value)
{
    return image_format_to_string((enum image_format)value);
}

static const char *mode_word(unsigned value)
{
    return boot_mode_to_string((enum boot_mode)value);
}

static const char *board_word(unsigned value)
{
    return board_kind_to_string((enum board_kind)value);
}

static const struct {
    word_fn word;
    unsigned count;
    size_t size; /* where a record keeps it */
} rows[] = {
    { format_word, IMAGE_FORMAT_COUNT, sizeof(((struct vm_machine_record *)NULL)->format) },
    { mode_word, BOOT_MODE_COUNT, sizeof(((struct vm_machine_record *)NULL)->mode) },
    { board_word, BOARD_KIND_COUNT, sizeof(((struct vm_machine_record *)NULL)->machine) },
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

/* A value put among others would leave a hole in a table of the right length. */
static void each_value_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROW_COUNT; row++)
        for (unsigned i = 0; i < rows[row].count; i++) {
            assert_non_null(rows[row].word(i));
            for (unsigned j = 0; j < i; j++)
                assert_string_not_equal(rows[row].word(i), rows[row].word(j));
        }
}

static void each_word_fits_into_a_record(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROW_COUNT; row++)
        for (unsigned i = 0; i < rows[row].count; i++)
            assert_in_range(strlen(rows[row].word(i)), 1, rows[row].size - 1);
}

/* The numbers. */

static struct definition sound(void)
{
    return (struct definition){
        .cpus = 1,
        .memory_bytes = 65536,
        .kernel_memory_bytes = 65536,
        .ring_capacity = 4096,
    };
}

/* A field, and what it may be and may not. */
static const struct {
    size_t offset;
    bool wide; /* of 64 bits */
    uint64_t least, most;
    uint64_t bad[3];
} fields[] = {
#define AT(field) offsetof(struct definition, field)
    { AT(format), false, 0, IMAGE_FORMAT_COUNT - 1, { IMAGE_FORMAT_COUNT, 77, UINT32_MAX } },
    { AT(mode), false, 0, BOOT_MODE_COUNT - 1, { BOOT_MODE_COUNT, 77, UINT32_MAX } },
    { AT(board), false, 0, BOARD_KIND_COUNT - 1, { BOARD_KIND_COUNT, 77, UINT32_MAX } },
    { AT(cpus), false, 1, DEFINITION_CPUS_MAX, { 0, DEFINITION_CPUS_MAX + 1, UINT32_MAX } },
    { AT(module_count),
      false,
      0,
      DEFINITION_MODULES_MAX,
      { DEFINITION_MODULES_MAX + 1, 77, UINT32_MAX } },
    { AT(memory_bytes), true, 1, UINT64_MAX, { 0, 0, 0 } },
    { AT(kernel_memory_bytes), true, 1, UINT64_MAX, { 0, 0, 0 } },
    { AT(ring_capacity), true, 1, UINT64_C(1) << 63, { 0, 3, UINT64_MAX } },
    { AT(load), true, 0, UINT64_MAX, { 0 } },
    { AT(entry), true, 0, UINT64_MAX, { 0 } },
    { AT(timeout_ms), true, 0, UINT64_MAX, { 0 } },
#undef AT
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

static int check_with(size_t field, uint64_t value)
{
    struct definition definition = sound();
    uint32_t narrow = (uint32_t)value;
    char *at = (char *)&definition + fields[field].offset;

    if (fields[field].wide)
        memcpy(at, &value, sizeof(value));
    else
        memcpy(at, &narrow, sizeof(narrow));
    return definition_check(&definition);
}

static void each_number_is_held_against_its_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        assert_int_equal(check_with(i, fields[i].least), 0);
        assert_int_equal(check_with(i, fields[i].most), 0);
        /* the last three may be anything */
        for (size_t n = 0; n < 3 && i < FIELD_COUNT - 3; n++)
            assert_int_equal(check_with(i, fields[i].bad[n]), -EINVAL);
    }
}

/* The texts. */

static struct definition with_modules(uint32_t modules)
{
    struct definition definition = sound();

    definition.flags = DEFINITION_INITRD;
    definition.module_count = modules;
    return definition;
}

static const struct definition_texts some_texts = {
    .append = "console=ttyS0",
    .sources = { { "kernel", "" }, { "initrd.gz", "" }, { "first", "a b" }, { "", "" } },
};

static void sources_are_image_initrd_and_modules(void **state)
{
    struct definition definition = sound();

    (void)state;
    assert_int_equal(definition_source_count(&definition), 1);
    definition.module_count = 3;
    assert_int_equal(definition_source_count(&definition), 4);
    definition.flags = DEFINITION_INITRD;
    assert_int_equal(definition_source_count(&definition), 5);
    definition.module_count = DEFINITION_MODULES_MAX;
    assert_int_equal(definition_source_count(&definition), DEFINITION_SOURCES_MAX);
}

static void texts_that_are_packed_are_found_again(void **state)
{
    const struct definition definition = with_modules(2);
    struct definition_texts texts;
    char block[256];
    size_t size;

    (void)state;
    assert_int_equal(definition_pack(&definition, &some_texts, block, sizeof(block), &size), 0);
    assert_int_equal(definition_unpack(&definition, block, size, &texts), 0);
    assert_string_equal(texts.append, some_texts.append);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(texts.sources[i].name, some_texts.sources[i].name);
        assert_string_equal(texts.sources[i].arguments, some_texts.sources[i].arguments);
        assert_in_range((uintptr_t)texts.sources[i].name, (uintptr_t)block,
                        (uintptr_t)block + size - 1);
    }
    assert_null(texts.sources[4].name);
}

static void all_texts_there_may_be_are_packed(void **state)
{
    const struct definition definition = with_modules(DEFINITION_MODULES_MAX);
    struct definition_texts texts = { .append = "" }, found;
    char block[DEFINITION_TEXTS_MAX];
    size_t size;

    (void)state;
    for (size_t i = 0; i < DEFINITION_SOURCES_MAX; i++)
        texts.sources[i].name = texts.sources[i].arguments = "";
    assert_int_equal(definition_pack(&definition, &texts, block, sizeof(block), &size), 0);
    assert_int_equal(size, DEFINITION_TEXTS_MAX);
    assert_int_equal(definition_unpack(&definition, block, size, &found), 0);
    assert_ptr_equal(found.sources[DEFINITION_SOURCES_MAX - 1].arguments, block + size - 1);
}

static void block_that_is_too_small_is_told_and_not_overrun(void **state)
{
    const struct definition definition = with_modules(2);
    char block[256];
    size_t size, needed;

    (void)state;
    assert_int_equal(definition_pack(&definition, &some_texts, block, sizeof(block), &needed), 0);
    for (size_t room = 0; room < needed; room++) {
        char *small = malloc(room + 1); /* not one more: a sanitizer sees what is too much */

        assert_non_null(small);
        small[room] = 'x';
        size = 77;
        assert_int_equal(definition_pack(&definition, &some_texts, small, room, &size), -E2BIG);
        assert_int_equal(size, 77);
        assert_int_equal(small[room], 'x');
        free(small);
    }
    assert_int_equal(definition_pack(&definition, &some_texts, block, needed, &size), 0);
}

static void block_that_is_cut_anywhere_is_none(void **state)
{
    const struct definition definition = with_modules(2);
    struct definition_texts texts = { .append = "untouched" };
    char block[256];
    size_t size;

    (void)state;
    assert_int_equal(definition_pack(&definition, &some_texts, block, sizeof(block), &size), 0);
    for (size_t cut = 0; cut < size; cut++) {
        char *short_block = malloc(cut + 1);

        assert_non_null(short_block);
        memcpy(short_block, block, cut);
        short_block = realloc(short_block, cut > 0 ? cut : 1);
        assert_int_equal(definition_unpack(&definition, short_block, cut, &texts), -EBADMSG);
        assert_string_equal(texts.append, "untouched");
        free(short_block);
    }
    for (size_t i = 0; i < size; i++) { /* and without any one of its ends */
        char other[256];

        memcpy(other, block, size);
        if (other[i] != '\0')
            continue;
        other[i] = 'x';
        assert_int_equal(definition_unpack(&definition, other, size, &texts), -EBADMSG);
    }
}

static void what_is_behind_the_texts_is_none_of_them(void **state)
{
    const struct definition definition = sound();
    struct definition_texts texts;

    (void)state;
    assert_int_equal(definition_unpack(&definition, "a\0b\0c\0more", 10, &texts), 0);
    assert_string_equal(texts.append, "a");
    assert_string_equal(texts.sources[0].name, "b");
    assert_string_equal(texts.sources[0].arguments, "c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_has_a_word_of_its_own),
        cmocka_unit_test(each_word_fits_into_a_record),
        cmocka_unit_test(each_number_is_held_against_its_range),
        cmocka_unit_test(sources_are_image_initrd_and_modules),
        cmocka_unit_test(texts_that_are_packed_are_found_again),
        cmocka_unit_test(all_texts_there_may_be_are_packed),
        cmocka_unit_test(block_that_is_too_small_is_told_and_not_overrun),
        cmocka_unit_test(block_that_is_cut_anywhere_is_none),
        cmocka_unit_test(what_is_behind_the_texts_is_none_of_them),
    };

    return cmocka_run_group_tests_name("definition", tests, NULL, NULL);
}

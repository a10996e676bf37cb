#include "unit_test.h"

#include <stdbool.h>

#include "setting.h"
#include "util/log.h"

/* A value of each type, and a neighbour on each side that is none of its business. */
struct sample {
    char before[8];
    union {
        char path[16];
        uint64_t number;
        enum log_level level;
        bool keep;
    };
    char after[8];
};

static const struct setting path = {
    .key = "path",
    .type = SETTING_PATH,
    .offset = offsetof(struct sample, path),
    .max = sizeof(((struct sample *)NULL)->path),
    .fallback = "",
};

static const struct setting size = {
    .key = "size",
    .type = SETTING_SIZE,
    .offset = offsetof(struct sample, number),
    .max = UINT64_MAX,
};

static const struct setting number = {
    .key = "number",
    .type = SETTING_NUMBER,
    .offset = offsetof(struct sample, number),
    .max = UINT64_MAX,
};

static const struct setting level = {
    .key = "level",
    .type = SETTING_LEVEL,
    .offset = offsetof(struct sample, level),
};

static const struct setting keep = {
    .key = "keep",
    .type = SETTING_KEEP,
    .offset = offsetof(struct sample, keep),
};

static struct sample sample_of(const struct setting *setting, const char *value)
{
    struct sample sample = { .before = "before", .after = "after" };

    assert_int_equal(setting_set(setting, &sample, value, NULL), 0);
    return sample;
}

static void assert_differ(const struct setting *setting, const char *one, const char *other)
{
    const struct sample a = sample_of(setting, one), b = sample_of(setting, other);
    struct sample copy = b;

    assert_true(setting_is_equal(setting, &a, &a));
    assert_false(setting_is_equal(setting, &a, &b));
    assert_false(setting_is_equal(setting, &b, &a));

    setting_copy(setting, &copy, &a);
    assert_true(setting_is_equal(setting, &copy, &a));
    assert_string_equal(copy.before, "before");
    assert_string_equal(copy.after, "after");
}

static void paths_differ_by_their_text(void **state)
{
    (void)state;
    assert_differ(&path, "/a", "/b");
    assert_differ(&path, "", "/b");
    assert_differ(&path, "/123456789abcde", "/123456789abcdf");
}

/* 256 and 512 have the same lowest byte, which is 0: as texts both would be empty. */
static void numbers_differ_in_any_byte(void **state)
{
    (void)state;
    assert_differ(&number, "1", "2");
    assert_differ(&number, "256", "512");
    assert_differ(&number, "0", "18446744073709551615");
    assert_differ(&number, "1", "72057594037927937"); /* 2^56 + 1 */
    assert_differ(&size, "1G", "2G");
}

static void levels_differ(void **state)
{
    (void)state;
    assert_differ(&level, "error", "debug");
    assert_differ(&level, "info", "error");
}

static void ending_and_keeping_differ(void **state)
{
    (void)state;
    assert_differ(&keep, "end", "keep");
    assert_differ(&keep, "keep", "end");
}

static void path_is_equal_whatever_was_there_before(void **state)
{
    struct sample fresh = sample_of(&path, "/short"), used = sample_of(&path, "/much/longer");

    (void)state;
    assert_int_equal(setting_set(&path, &used, "/short", NULL), 0);
    assert_true(setting_is_equal(&path, &fresh, &used));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_differ_by_their_text),
        cmocka_unit_test(numbers_differ_in_any_byte),
        cmocka_unit_test(levels_differ),
        cmocka_unit_test(ending_and_keeping_differ),
        cmocka_unit_test(path_is_equal_whatever_was_there_before),
    };

    return cmocka_run_group_tests_name("setting", tests, NULL, NULL);
}

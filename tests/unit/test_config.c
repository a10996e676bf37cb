#include "unit_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "guests/hypercall.h"
#include "memfd.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

static struct config defaults(void)
{
    struct config config;

    config_init(&config);
    return config;
}

static void assert_set(struct config *config, const char *key, const char *value)
{
    struct error err = { .text = "" };

    if (config_set(config, key, value, &err) != 0)
        fail_msg("%s = '%s': %s", key, value, err.text);
}

/* The value is refused with that sentence, and the setting is what it was. */
static void assert_refused(const char *key, const char *value, const char *expected)
{
    const struct config before = defaults();
    struct config config = before;
    struct error err;

    assert_int_equal(config_set(&config, key, value, &err), -EINVAL);
    assert_string_equal(err.text, expected);
    assert_memory_equal(&config, &before, sizeof(config));
}

/* Reads text as a file. Returns what config_read_file() does. */
static int read_text(struct config *config, const char *text, struct error *err)
{
    int fd = memfd_of(text, strlen(text)), r;
    char path[64];

    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    r = config_read_file(config, path, err);
    close(fd);
    return r;
}

static void assert_read(struct config *config, const char *text)
{
    struct error err = { .text = "" };

    if (read_text(config, text, &err) != 0)
        fail_msg("%s", err.text);
}

/* The file is refused for its line of that number, with that sentence. */
static void assert_line_refused(const char *text, unsigned number, const char *expected)
{
    struct config config = defaults();
    char place[32], *found;
    struct error err;

    assert_int_equal(read_text(&config, text, &err), -EINVAL);
    snprintf(place, sizeof(place), ", line %u: ", number);
    found = strstr(err.text, place);
    if (!found)
        fail_msg("'%s' does not say '%s'", err.text, place);
    assert_string_equal(found + strlen(place), expected);
}

/* Defaults. */

static void every_setting_has_its_default(void **state)
{
    const struct config config = defaults();

    (void)state;
    assert_string_equal(config.socket, "/run/vmmd/vmmd.sock");
    assert_string_equal(config.state_dir, "/var/lib/vmmd");
    assert_string_equal(config.image_dir, "");
    assert_int_equal(config.vm.max_vms, 4096);
    assert_int_equal(config.workers.worker_vms, SLOTS_MAX);
    assert_int_equal(config.rpc.max_connections, 1024);
    assert_int_equal(config.vm.memory, GUEST_MEMORY_DEFAULT);
    assert_int_equal(config.vm.max_memory, GIB);
    assert_int_equal(config.vm.ring, MIB);
    assert_int_equal(config.vm.max_ring, 16 * MIB);
    assert_int_equal(config.vm.retain, 256);
    assert_false(config.keep_on_stop);
    assert_int_equal(config.idle_exit_s, 0);
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
}

static void settings_are_listed_in_order_with_help_and_default(void **state)
{
    static const char *const keys[] = {
        "socket",          "state-dir", "image-dir",  "max-vms",   "worker-vms",
        "max-connections", "memory",    "max-memory", "ring",      "max-ring",
        "retain",          "on-stop",   "idle-exit",  "log-level",
    };
    struct config config = defaults();
    size_t i;

    (void)state;
    for (i = 0; config_key_at(i); i++) {
        assert_in_range(i, 0, sizeof(keys) / sizeof(keys[0]) - 1);
        assert_string_equal(config_key_at(i), keys[i]);
        assert_true(strlen(config_help_at(i)) > 0);
        assert_set(&config, keys[i], config_default_at(i));
    }
    assert_int_equal(i, sizeof(keys) / sizeof(keys[0]));
    assert_null(config_key_at(1000));
}

static void default_settings_go_together(void **state)
{
    struct config config = defaults();
    struct error err;

    (void)state;
    assert_int_equal(config_check(&config, &err), 0);
    assert_null(config.vm.image_dir);
}

/* Values. */

static void every_setting_takes_a_value_of_its_kind(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_set(&config, "socket", "/tmp/a.sock");
    assert_set(&config, "state-dir", "/tmp/state");
    assert_set(&config, "image-dir", "/srv/images");
    assert_set(&config, "max-vms", "1");
    assert_set(&config, "worker-vms", "7");
    assert_set(&config, "max-connections", "1000000");
    assert_set(&config, "memory", "65536");
    assert_set(&config, "max-memory", "1024G");
    assert_set(&config, "ring", "4K");
    assert_set(&config, "max-ring", "1G");
    assert_set(&config, "retain", "0");
    assert_set(&config, "on-stop", "keep");
    assert_set(&config, "idle-exit", "60");
    assert_set(&config, "log-level", "debug");

    assert_string_equal(config.socket, "/tmp/a.sock");
    assert_string_equal(config.state_dir, "/tmp/state");
    assert_string_equal(config.image_dir, "/srv/images");
    assert_int_equal(config.vm.max_vms, 1);
    assert_int_equal(config.workers.worker_vms, 7);
    assert_int_equal(config.rpc.max_connections, 1000000);
    assert_int_equal(config.vm.memory, 65536);
    assert_int_equal(config.vm.max_memory, 1024 * GIB);
    assert_int_equal(config.vm.ring, 4096);
    assert_int_equal(config.vm.max_ring, GIB);
    assert_int_equal(config.vm.retain, 0);
    assert_true(config.keep_on_stop);
    assert_int_equal(config.idle_exit_s, 60);
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
}

static void sizes_may_have_a_unit_of_either_case(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } rows[] = {
        { "65536", 64 * KIB },  { "64K", 64 * KIB },     { "64k", 64 * KIB }, { "100K", 100 * KIB },
        { "3M", 3 * MIB },      { "3m", 3 * MIB },       { "2G", 2 * GIB },   { "2g", 2 * GIB },
        { "065536", 64 * KIB }, { "1024G", 1024 * GIB },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config = defaults();

        assert_set(&config, "max-memory", rows[i].text);
        assert_int_equal(config.vm.max_memory, rows[i].size);
    }
}

static void size_that_is_none_is_refused_with_what_is_accepted(void **state)
{
    static const char *const values[] = {
        "",     "K",    "M1",      "64KB", "64 K", "64KK", "-1",      "+64K",
        " 64K", "1.5M", "0x10000", "64T",  "lots", "1e6",  "64K 64K",
    };
    char expected[256];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(expected, sizeof(expected),
                 "'memory' must be a size from 64K to 1024G, in bytes or with K, M or G, not '%s'",
                 values[i]);
        assert_refused("memory", values[i], expected);
    }
}

static void size_out_of_range_is_refused_at_both_ends(void **state)
{
    (void)state;
    assert_refused("memory", "65535",
                   "'memory' must be a size from 64K to 1024G, in bytes or with K, M or G, not "
                   "'65535'");
    assert_refused("max-memory", "1025G",
                   "'max-memory' must be a size from 64K to 1024G, in bytes or with K, M or G, not "
                   "'1025G'");
    assert_refused("ring", "4095",
                   "'ring' must be a size from 4K to 1G, in bytes or with K, M or G, not '4095'");
    assert_refused("max-ring", "1073741825",
                   "'max-ring' must be a size from 4K to 1G, in bytes or with K, M or G, not "
                   "'1073741825'");
}

/* Each would be in range if it were taken modulo 2^64. */
static void size_over_64_bits_is_refused_not_wrapped(void **state)
{
    static const char *const values[] = {
        "18446744073709617152", /* 2^64 + 64K */
        "18014398509482048K",   /* (2^64 + 64K) / K */
        "17592186044417M",      /* (2^64 + 1M) / M */
        "17179869185G",         /* (2^64 + 1G) / G */
        "99999999999999999999999999999999G",
    };
    char expected[256];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(expected, sizeof(expected),
                 "'memory' must be a size from 64K to 1024G, in bytes or with K, M or G, not '%s'",
                 values[i]);
        assert_refused("memory", values[i], expected);
    }
}

static void number_that_is_none_is_refused_with_what_is_accepted(void **state)
{
    static const char *const values[] = { "",   "many", "-1",      "+1",   "1K",
                                          "1 ", "1.0",  "1000001", "0x10", "18446744073709551617" };
    char expected[256];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(expected, sizeof(expected),
                 "'retain' must be a number from 0 to 1000000, not '%s'", values[i]);
        assert_refused("retain", values[i], expected);
    }
}

static void number_below_its_least_is_refused(void **state)
{
    (void)state;
    assert_refused("max-vms", "0", "'max-vms' must be a number from 1 to 1000000, not '0'");
    assert_refused("max-connections", "0",
                   "'max-connections' must be a number from 1 to 1000000, not '0'");
}

static void idle_exit_is_a_number_of_seconds(void **state)
{
    (void)state;
    assert_refused("idle-exit", "60s", "'idle-exit' must be a number from 0 to 1000000, not '60s'");
}

static void log_level_is_one_of_four_words(void **state)
{
    (void)state;
    assert_refused("log-level", "Debug",
                   "'log-level' must be error, warning, info or debug, not 'Debug'");
    assert_refused("log-level", "", "'log-level' must be error, warning, info or debug, not ''");
}

static void vms_are_ended_or_kept_on_a_stop(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_set(&config, "on-stop", "keep");
    assert_true(config.keep_on_stop);
    assert_set(&config, "on-stop", "end");
    assert_false(config.keep_on_stop);
    assert_refused("on-stop", "yes", "'on-stop' must be end or keep, not 'yes'");
    assert_refused("on-stop", "", "'on-stop' must be end or keep, not ''");
}

static void worker_has_one_vm_at_least_and_no_more_than_it_has_slots(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_set(&config, "worker-vms", "1");
    assert_set(&config, "worker-vms", "64");
    assert_refused("worker-vms", "0", "'worker-vms' must be a number from 1 to 64, not '0'");
    assert_refused("worker-vms", "65", "'worker-vms' must be a number from 1 to 64, not '65'");
}

static void path_may_be_as_long_as_its_field(void **state)
{
    const struct config before = defaults();
    struct config config = before;
    char path[PATH_MAX + 1];
    struct error err;

    (void)state;
    memset(path, 'x', sizeof(path));
    path[107] = '\0'; /* unix(7): sun_path has 108 bytes, one of them for NUL */
    assert_set(&config, "socket", path);
    assert_string_equal(config.socket, path);

    path[107] = 'x';
    path[108] = '\0';
    config = before;
    assert_int_equal(config_set(&config, "socket", path, &err), -EINVAL);
    assert_string_equal(err.text, "'socket' may have at most 107 bytes, not 108");
    assert_memory_equal(&config, &before, sizeof(config));

    path[108] = 'x';
    path[PATH_MAX] = '\0';
    assert_int_equal(config_set(&config, "state-dir", path, &err), -EINVAL);
    assert_string_equal(err.text, "'state-dir' may have at most 4095 bytes, not 4096");
}

static void only_the_path_that_may_be_left_out_may_be_empty(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_refused("socket", "", "'socket' must be a path, not empty");
    assert_refused("state-dir", "", "'state-dir' must be a path, not empty");
    assert_set(&config, "image-dir", "/srv/images");
    assert_set(&config, "image-dir", "");
    assert_string_equal(config.image_dir, "");
}

static void unknown_setting_is_refused_with_those_there_are(void **state)
{
    (void)state;
    assert_refused("Memory", "1M",
                   "there is no setting 'Memory'; there are: socket, state-dir, image-dir, "
                   "max-vms, worker-vms, max-connections, memory, max-memory, ring, max-ring, "
                   "retain, on-stop, idle-exit, log-level");
}

static void long_value_is_cut_in_the_sentence(void **state)
{
    char value[1000], expected[256];

    (void)state;
    memset(value, '9', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    snprintf(expected, sizeof(expected), "'retain' must be a number from 0 to 1000000, not '%.64s'",
             value);
    assert_refused("retain", value, expected);
}

/* The file. */

static void file_sets_what_it_names_and_nothing_else(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_read(&config, "# a comment\n"
                         "\n"
                         "memory = 2M\n"
                         "  retain=10  \n"
                         "\t# another\n"
                         "state-dir\t=\t/srv/vm state\n");
    assert_int_equal(config.vm.memory, 2 * MIB);
    assert_int_equal(config.vm.retain, 10);
    assert_string_equal(config.state_dir, "/srv/vm state");
    assert_string_equal(config.socket, "/run/vmmd/vmmd.sock");
}

static void empty_file_sets_nothing(void **state)
{
    const struct config before = defaults();
    struct config config = before;

    (void)state;
    assert_read(&config, "");
    assert_memory_equal(&config, &before, sizeof(config));
}

static void last_line_needs_no_line_feed(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_read(&config, "retain = 10");
    assert_int_equal(config.vm.retain, 10);
}

static void lines_may_end_as_on_other_systems(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_read(&config, "retain = 10\r\nmax-vms = 20\r\n");
    assert_int_equal(config.vm.retain, 10);
    assert_int_equal(config.vm.max_vms, 20);
}

static void last_line_about_a_setting_counts(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_read(&config, "retain = 10\nretain = 20\n");
    assert_int_equal(config.vm.retain, 20);
}

static void value_may_hold_what_separates_it(void **state)
{
    struct config config = defaults();

    (void)state;
    assert_read(&config, "state-dir = /srv/a=b#c\n");
    assert_string_equal(config.state_dir, "/srv/a=b#c");
}

static void wrong_line_is_refused_with_its_number(void **state)
{
    (void)state;
    assert_line_refused("retain = x\n", 1, "'retain' must be a number from 0 to 1000000, not 'x'");
    assert_line_refused("# comment\n\nretain = 1\nretain = x\nretain = y\n", 4,
                        "'retain' must be a number from 0 to 1000000, not 'x'");
    assert_line_refused("\n\nretain = 1 # a comment is a line of its own\n", 3,
                        "'retain' must be a number from 0 to 1000000, not "
                        "'1 # a comment is a line of its own'");
}

static void line_that_sets_nothing_is_refused(void **state)
{
    (void)state;
    assert_line_refused("retain 10\n", 1,
                        "a line must be 'key = value' or a comment (#), not 'retain 10'");
    assert_line_refused("[vmmd]\n", 1,
                        "a line must be 'key = value' or a comment (#), not '[vmmd]'");
    assert_line_refused("retain\n", 1,
                        "a line must be 'key = value' or a comment (#), not 'retain'");
}

static void line_without_a_key_or_a_value_is_refused(void **state)
{
    (void)state;
    assert_line_refused("retain =\n", 1, "'retain' must be a number from 0 to 1000000, not ''");
    assert_line_refused("= 10\n", 1,
                        "there is no setting ''; there are: socket, state-dir, image-dir, "
                        "max-vms, worker-vms, max-connections, memory, max-memory, ring, max-ring, "
                        "retain, on-stop, idle-exit, log-level");
}

static void sentence_names_the_file(void **state)
{
    struct config config = defaults();
    struct error err;

    (void)state;
    assert_int_equal(config_read_file(&config, "/nonexistent/vmmd.conf", &err), -ENOENT);
    assert_string_equal(err.text,
                        "cannot open '/nonexistent/vmmd.conf': No such file or directory");
    assert_int_equal(config_read_file(&config, "/", &err), -EIO);
    assert_string_equal(err.text, "cannot read '/': Is a directory");
}

/* One setting and another. */

static void images_are_looked_up_once_a_directory_is_set(void **state)
{
    struct config config = defaults();
    struct error err;

    (void)state;
    assert_set(&config, "image-dir", "/srv/images");
    assert_int_equal(config_check(&config, &err), 0);
    assert_ptr_equal(config.vm.image_dir, config.image_dir);
}

static void default_memory_must_be_allowed(void **state)
{
    struct config config = defaults();
    struct error err;

    (void)state;
    assert_set(&config, "memory", "2M");
    assert_set(&config, "max-memory", "2M");
    assert_int_equal(config_check(&config, &err), 0);
    assert_set(&config, "max-memory", "1M");
    assert_int_equal(config_check(&config, &err), -EINVAL);
    assert_string_equal(err.text, "'memory' (2097152 bytes) is more than 'max-memory' (1048576)");
}

static void default_ring_must_be_allowed(void **state)
{
    struct config config = defaults();
    struct error err;

    (void)state;
    assert_set(&config, "max-ring", "4K");
    assert_int_equal(config_check(&config, &err), -EINVAL);
    assert_string_equal(err.text, "'ring' (1048576 bytes) is more than 'max-ring' (4096)");
}

static void only_the_socket_and_the_state_directory_are_fixed(void **state)
{
    static const struct {
        const char *key, *value;
        bool fixed;
    } rows[] = {
        { "socket", "/tmp/a.sock", true }, { "state-dir", "/tmp/a", true },
        { "image-dir", "/tmp/a", false },  { "max-vms", "5", false },
        { "max-connections", "5", false }, { "memory", "2M", false },
        { "max-memory", "2M", false },     { "ring", "8K", false },
        { "max-ring", "8K", false },       { "retain", "5", false },
        { "idle-exit", "5", false },       { "log-level", "error", false },
        { "worker-vms", "5", false },      { "on-stop", "keep", false },
    };
    const struct config running = defaults();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config = running;
        const char *difference;

        assert_set(&config, rows[i].key, rows[i].value);
        difference = config_fixed_difference(&running, &config);
        if (rows[i].fixed)
            assert_string_equal(difference, rows[i].key);
        else
            assert_null(difference);
    }
}

static void what_is_fixed_is_kept_and_the_rest_is_taken_over(void **state)
{
    const struct config running = defaults();
    struct config config = running;

    (void)state;
    assert_set(&config, "socket", "/tmp/a.sock");
    assert_set(&config, "state-dir", "/tmp/a");
    assert_set(&config, "retain", "5");
    config_keep_fixed(&config, &running);
    assert_null(config_fixed_difference(&running, &config));
    assert_string_equal(config.socket, running.socket);
    assert_string_equal(config.state_dir, running.state_dir);
    assert_int_equal(config.vm.retain, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_has_its_default),
        cmocka_unit_test(settings_are_listed_in_order_with_help_and_default),
        cmocka_unit_test(default_settings_go_together),
        cmocka_unit_test(every_setting_takes_a_value_of_its_kind),
        cmocka_unit_test(sizes_may_have_a_unit_of_either_case),
        cmocka_unit_test(size_that_is_none_is_refused_with_what_is_accepted),
        cmocka_unit_test(size_out_of_range_is_refused_at_both_ends),
        cmocka_unit_test(size_over_64_bits_is_refused_not_wrapped),
        cmocka_unit_test(number_that_is_none_is_refused_with_what_is_accepted),
        cmocka_unit_test(number_below_its_least_is_refused),
        cmocka_unit_test(idle_exit_is_a_number_of_seconds),
        cmocka_unit_test(log_level_is_one_of_four_words),
        cmocka_unit_test(vms_are_ended_or_kept_on_a_stop),
        cmocka_unit_test(worker_has_one_vm_at_least_and_no_more_than_it_has_slots),
        cmocka_unit_test(path_may_be_as_long_as_its_field),
        cmocka_unit_test(only_the_path_that_may_be_left_out_may_be_empty),
        cmocka_unit_test(unknown_setting_is_refused_with_those_there_are),
        cmocka_unit_test(long_value_is_cut_in_the_sentence),
        cmocka_unit_test(file_sets_what_it_names_and_nothing_else),
        cmocka_unit_test(empty_file_sets_nothing),
        cmocka_unit_test(last_line_needs_no_line_feed),
        cmocka_unit_test(lines_may_end_as_on_other_systems),
        cmocka_unit_test(last_line_about_a_setting_counts),
        cmocka_unit_test(value_may_hold_what_separates_it),
        cmocka_unit_test(wrong_line_is_refused_with_its_number),
        cmocka_unit_test(line_that_sets_nothing_is_refused),
        cmocka_unit_test(line_without_a_key_or_a_value_is_refused),
        cmocka_unit_test(sentence_names_the_file),
        cmocka_unit_test(images_are_looked_up_once_a_directory_is_set),
        cmocka_unit_test(default_memory_must_be_allowed),
        cmocka_unit_test(default_ring_must_be_allowed),
        cmocka_unit_test(only_the_socket_and_the_state_directory_are_fixed),
        cmocka_unit_test(what_is_fixed_is_kept_and_the_rest_is_taken_over),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

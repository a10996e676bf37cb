#include "unit_test.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "captured_stderr.h"
#include "temporary_directory.h"
#include "vm/ledger.h"

enum { ROW = sizeof(struct ledger_row) };

static struct {
    struct temporary_directory directory;
    struct ledger *ledger; /* NULL: closed */
} book;

static struct ledger *open_ledger(bool expect_made)
{
    struct error err;
    bool made = !expect_made;

    if (ledger_open(book.directory.fd, &book.ledger, &made, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(made, expect_made);
    return book.ledger;
}

static void close_ledger(void)
{
    ledger_close(book.ledger);
    book.ledger = NULL;
}

static int set_up(void **state)
{
    (void)state;
    temporary_directory_init(&book.directory);
    open_ledger(true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_ledger();
    temporary_directory_deinit(&book.directory);
    return 0;
}

static struct ledger_row row_of(uint64_t id)
{
    struct ledger_row row = {
        .id = id,
        .worker = id * 10,
        .slot = (uint32_t)id % 64,
        .created_ns = 1700000000000000000,
        .owner = { .uid = 1000, .gid = 100, .pid = 4711 },
        .cpus = 2,
        .ring_capacity = 65536,
    };

    snprintf(row.name, sizeof(row.name), "vm%u", (unsigned)id);
    snprintf(row.image, sizeof(row.image), "image%u.bin", (unsigned)id);
    return row;
}

static size_t add(uint64_t id)
{
    const struct ledger_row row = row_of(id);
    struct error err;
    size_t index;

    if (ledger_add(book.ledger, &row, &index, &err) < 0)
        fail_msg("%s", err.text);
    return index;
}

/* It has the rows of these ids, in this order, whole, and no others. */
static void assert_holds(const uint64_t *ids, size_t count)
{
    const struct ledger_row *row;
    size_t n = 0;

    for (size_t index = 0; (row = ledger_next(book.ledger, &index)); index++) {
        struct ledger_row expected = row_of(row->id);

        assert_true(n < count);
        assert_int_equal(row->id, ids[n++]);
        expected.ended = row->ended;
        assert_memory_equal(row, &expected, sizeof(expected));
    }
    assert_int_equal(n, count);
}

static void reopen(void)
{
    close_ledger();
    open_ledger(false);
}

static int open_raw(void)
{
    int fd = openat(book.directory.fd, "ledger", O_RDWR | O_CLOEXEC);

    assert_int_not_equal(fd, -1);
    return fd;
}

static off_t file_size(void)
{
    struct stat st;

    assert_int_equal(fstatat(book.directory.fd, "ledger", &st, 0), 0);
    return st.st_size;
}

static void new_ledger_is_empty_and_its_owners_alone(void **state)
{
    struct stat st;

    (void)state;
    assert_holds(NULL, 0);
    assert_int_equal(fstatat(book.directory.fd, "ledger", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    reopen();
    assert_holds(NULL, 0);
}

static void rows_are_there_for_the_next_daemon(void **state)
{
    static const uint64_t ids[] = { 7, 3, 9 };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        add(ids[i]);
    assert_holds(ids, 3);
    reopen();
    assert_holds(ids, 3);
}

static void row_is_there_as_soon_as_it_was_added(void **state)
{
    struct ledger_row row;
    int fd;

    (void)state;
    add(7);
    fd = open_raw(); /* as after kill -9 */
    assert_int_equal(pread(fd, &row, sizeof(row), ROW), ROW);
    assert_int_equal(row.id, 7);
    close(fd);
}

static void end_of_a_vm_is_written_down(void **state)
{
    static const uint64_t ids[] = { 1, 2 };
    const struct ledger_row *row;
    size_t index;

    (void)state;
    add(1);
    index = add(2);
    ledger_end(book.ledger, index);
    reopen();
    assert_holds(ids, 2);
    index = 0;
    row = ledger_next(book.ledger, &index);
    assert_int_equal(row->ended, 0);
    index = 1;
    row = ledger_next(book.ledger, &index);
    assert_int_not_equal(row->ended, 0);
}

static void row_that_was_removed_is_used_again(void **state)
{
    static const uint64_t left[] = { 1, 3 }, ids[] = { 1, 4, 3, 5 };
    size_t index;

    (void)state;
    add(1);
    index = add(2);
    add(3);
    ledger_remove(book.ledger, index);
    assert_holds(left, 2);
    reopen();
    assert_holds(left, 2);
    assert_int_equal(add(4), index);
    add(5);
    assert_holds(ids, 4);
    assert_int_equal(file_size(), 5 * ROW);
    reopen();
    assert_holds(ids, 4);
}

static void nothing_is_left_in_a_row_that_was_removed(void **state)
{
    static const struct ledger_row none;
    struct ledger_row row;
    int fd;

    (void)state;
    ledger_remove(book.ledger, add(7));
    fd = open_raw();
    assert_int_equal(pread(fd, &row, sizeof(row), ROW), ROW);
    assert_memory_equal(&row, &none, ROW);
    close(fd);
}

static void ledger_grows_as_far_as_it_must(void **state)
{
    static uint64_t ids[1000];

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        ids[i] = i + 1;
        assert_int_equal(add(ids[i]), i);
    }
    assert_holds(ids, 1000);
    reopen();
    assert_holds(ids, 1000);
}

/* Many come and go: the file stays as small as it was when most were there. */
static void rows_that_come_and_go_take_no_more_room(void **state)
{
    size_t indices[10];
    uint64_t id = 1;

    (void)state;
    for (size_t i = 0; i < 10; i++)
        indices[i] = add(id++);
    for (size_t i = 0; i < 1000; i++) {
        ledger_remove(book.ledger, indices[i * 7 % 10]);
        indices[i * 7 % 10] = add(id++);
    }
    assert_int_equal(file_size(), 11 * ROW);
}

/* Damage. */

static void assert_made_anew(const char *why)
{
    static char log[1024];
    struct captured_stderr captured;

    close_ledger();
    captured_stderr_begin(&captured);
    open_ledger(true);
    captured_stderr_end(&captured, log, sizeof(log));
    if (!strstr(log, "the ledger in the state directory is damaged: making it anew"))
        fail_msg("%s: '%s'", why, log);
    assert_holds(NULL, 0);
    assert_int_equal(file_size(), ROW);
    add(1);
}

static void write_raw(const void *data, size_t size, off_t offset)
{
    int fd = open_raw();

    assert_int_equal(pwrite(fd, data, size, offset), size);
    close(fd);
}

static void cut(off_t size)
{
    int fd = open_raw();

    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static void ledger_whose_head_is_damaged_is_made_anew(void **state)
{
    (void)state;
    add(1);
    write_raw("X", 1, 0);
    assert_made_anew("magic");
    write_raw("\x02", 1, 8);
    assert_made_anew("layout");
    write_raw("\x01", 1, 12);
    assert_made_anew("size of a row");
    cut(ROW - 1);
    assert_made_anew("cut");
    cut(1);
    assert_made_anew("cut");
}

static void empty_file_becomes_a_ledger(void **state)
{
    (void)state;
    cut(0);
    close_ledger();
    open_ledger(true);
    add(1);
    reopen();
}

static void row_that_was_torn_off_is_none(void **state)
{
    static const uint64_t ids[] = { 1 }, more[] = { 1, 3 };

    (void)state;
    add(1);
    add(2);
    for (off_t size = 3 * ROW - 1; size > 2 * ROW; size -= 100) {
        cut(size);
        reopen();
        assert_holds(ids, 1);
    }
    add(3);
    reopen();
    assert_holds(more, 2);
}

static void row_that_is_damaged_is_ignored_and_the_others_are_not(void **state)
{
    static const uint64_t ids[] = { 1, 3 }, more[] = { 1, 4, 3 };
    static const int64_t before_time = -1;
    char text[sizeof(((struct ledger_row *)NULL)->image)];
    const struct {
        const void *data;
        size_t size, offset;
    } damages[] = {
        { text, sizeof(((struct ledger_row *)NULL)->name), offsetof(struct ledger_row, name) },
        { text, sizeof(text), offsetof(struct ledger_row, image) },
        { &before_time, sizeof(before_time), offsetof(struct ledger_row, created_ns) },
    };

    (void)state;
    memset(text, 'x', sizeof(text));
    add(1);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        static char log[1024];
        struct captured_stderr captured;
        size_t index = add(2);

        if (i == 0)
            add(3);
        write_raw(damages[i].data, damages[i].size, (off_t)((index + 1) * ROW + damages[i].offset));
        captured_stderr_begin(&captured);
        reopen();
        captured_stderr_end(&captured, log, sizeof(log));
        assert_non_null(strstr(log, "a row of the ledger in the state directory is damaged"));
        assert_holds(ids, 2);
    }
    add(4); /* in its place */
    assert_holds(more, 3);
}

static void directory_in_its_place_is_told(void **state)
{
    struct ledger *ledger = NULL;
    struct error err;
    bool made;

    (void)state;
    assert_int_equal(unlinkat(book.directory.fd, "ledger", 0), 0);
    assert_int_equal(mkdirat(book.directory.fd, "ledger", 0700), 0);
    assert_int_equal(ledger_open(book.directory.fd, &ledger, &made, &err), -EIO);
    assert_string_equal(err.text, "cannot use 'ledger' in the state directory: Is a directory");
    assert_null(ledger);
}

static void link_in_its_place_is_not_followed(void **state)
{
    struct ledger *ledger = NULL;
    struct error err;
    bool made;

    (void)state;
    assert_int_equal(renameat(book.directory.fd, "ledger", book.directory.fd, "other"), 0);
    assert_int_equal(symlinkat("other", book.directory.fd, "ledger"), 0);
    assert_int_equal(ledger_open(book.directory.fd, &ledger, &made, &err), -EIO);
    assert_null(ledger);
}

/* A disk that is full, as far as it can be had: files may not grow. */
static void row_that_cannot_be_written_is_refused_and_not_there(void **state)
{
    static const uint64_t ids[] = { 1 }, more[] = { 1, 3 };
    const struct ledger_row row = row_of(2);
    struct rlimit before, limit;
    struct error err;
    size_t index = 77;

    (void)state;
    add(1);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 2 * ROW + 10; /* part of it would fit */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(ledger_add(book.ledger, &row, &index, &err), -EIO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_memory_equal(err.text, "cannot write 'ledger' in the state directory: ", 46);
    assert_int_equal(index, 77);
    assert_holds(ids, 1);
    reopen();
    assert_holds(ids, 1);
    add(3);
    reopen();
    assert_holds(more, 2);
}

static void close_accepts_null(void **state)
{
    (void)state;
    ledger_close(NULL);
}

int main(void)
{
#define ledger_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ledger_test(new_ledger_is_empty_and_its_owners_alone),
        ledger_test(rows_are_there_for_the_next_daemon),
        ledger_test(row_is_there_as_soon_as_it_was_added),
        ledger_test(end_of_a_vm_is_written_down),
        ledger_test(row_that_was_removed_is_used_again),
        ledger_test(nothing_is_left_in_a_row_that_was_removed),
        ledger_test(ledger_grows_as_far_as_it_must),
        ledger_test(rows_that_come_and_go_take_no_more_room),
        ledger_test(ledger_whose_head_is_damaged_is_made_anew),
        ledger_test(empty_file_becomes_a_ledger),
        ledger_test(row_that_was_torn_off_is_none),
        ledger_test(row_that_is_damaged_is_ignored_and_the_others_are_not),
        ledger_test(directory_in_its_place_is_told),
        ledger_test(link_in_its_place_is_not_followed),
        ledger_test(row_that_cannot_be_written_is_refused_and_not_there),
        cmocka_unit_test(close_accepts_null),
    };
#undef ledger_test

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}

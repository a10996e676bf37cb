#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "captured_stderr.h"
#include "shared/vm_file.h"
#include "temporary_directory.h"

enum { CAPACITY = 64 * 1024, RING_MAX = 16 * 1024 * 1024 };
enum { FILE_SIZE = VM_FILE_RING_OFFSET + OUTPUT_RING_STEP };

/* The disk: linked, it takes the place of the C library's posix_fallocate(). */
static struct {
    off_t room;          /* bytes that a file may have */
    unsigned interrupts; /* so many calls end early, as by a signal */
} disk;

int posix_fallocate(int fd, off_t offset, off_t length)
{
    if (disk.interrupts > 0) {
        disk.interrupts--;
        return EINTR;
    }
    if (offset + length > disk.room)
        return ENOSPC;
    return fallocate(fd, 0, offset, length) < 0 ? errno : 0;
}

/* Each test has a directory of its own, and a disk with room. */
static int set_up(void **state)
{
    static struct temporary_directory directory;

    disk.room = INT64_MAX;
    disk.interrupts = 0;
    temporary_directory_init(&directory);
    *state = &directory;
    return 0;
}

static int tear_down(void **state)
{
    temporary_directory_deinit(*state);
    return 0;
}

static int directory_of(void *const *state)
{
    return ((const struct temporary_directory *)*state)->fd;
}

static struct vm_record make_record(uint64_t id)
{
    struct vm_record record = {
        .id = id,
        .name = "lab1",
        .image = "multiplication.bin",
        .machine = { .format = "flat",
                     .mode = "real",
                     .machine = "bare",
                     .memory_bytes = 1024 * 1024 },
        .cpus = 1,
        .created_ns = 1700000000000000000,
        .owner = { .uid = 1000, .gid = 100, .pid = 4711 },
    };

    return record;
}

static int make(void *const *state, uint64_t id)
{
    int fd = vm_file_make(directory_of(state), id);

    assert_true(fd >= 0);
    return fd;
}

/* As the worker has it: to write. */
static struct vm_file *create(void *const *state, uint64_t id, uint64_t capacity)
{
    const struct vm_record record = make_record(id);
    struct vm_file *file;
    struct error err;

    if (vm_file_fill(make(state, id), &record, capacity, &file, &err) < 0)
        fail_msg("%s", err.text);
    return file;
}

/* The file of a VM that printed size bytes, each of them the low bits of its position. */
static struct vm_file *create_printing(void *const *state, uint64_t id, size_t size)
{
    struct vm_file *file = create(state, id, CAPACITY);

    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)i;

        output_ring_append(&file->ring, &byte, 1);
    }
    return file;
}

static void create_with_output(void *const *state, uint64_t id, size_t size)
{
    vm_file_free(create_printing(state, id, size));
}

/* As the daemon does. */
static int view(void *const *state, uint64_t id, struct vm_file **ret, struct error *err)
{
    int fd = vm_file_open(directory_of(state), id), r;

    if (fd < 0)
        return error_set(err, fd, "%s", strerror(-fd));
    r = vm_file_view(fd, id, RING_MAX, ret, err);
    close(fd);
    return r;
}

static struct vm_file *reopen(void *const *state, uint64_t id)
{
    struct vm_file *file;
    struct error err;

    if (view(state, id, &file, &err) < 0)
        fail_msg("%s", err.text);
    return file;
}

static void assert_not_opened(void *const *state, uint64_t id, int expected, const char *sentence)
{
    struct vm_file *file = NULL;
    struct error err;

    assert_int_equal(view(state, id, &file, &err), expected);
    assert_int_equal(err.code, expected);
    assert_string_equal(err.text, sentence);
    assert_null(file);
}

static void assert_output(const struct vm_file *file, uint64_t first, uint64_t end)
{
    static unsigned char data[CAPACITY];
    struct output_chunk chunk;

    assert_int_equal(output_ring_first(&file->ring), first);
    assert_int_equal(output_ring_end(&file->ring), end);
    assert_int_equal(output_ring_read(&file->ring, 0, data, sizeof(data), &chunk), 0);
    assert_int_equal(chunk.start, first);
    assert_int_equal(chunk.length, end - first);
    for (size_t i = 0; i < chunk.length; i++)
        assert_int_equal(data[i], (unsigned char)(first + i));
}

static struct vm_file_head *head_of(const struct vm_file *file)
{
    return (struct vm_file_head *)(void *)file->map;
}

static int open_raw(void *const *state, const char *name)
{
    int fd = openat(directory_of(state), name, O_RDWR | O_CLOEXEC);

    assert_int_not_equal(fd, -1);
    return fd;
}

static off_t size_of(void *const *state, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(directory_of(state), name, &st, 0), 0);
    return st.st_size;
}

/* Creating. */

static void new_file_holds_the_record_in_state_starting(void **state)
{
    const struct vm_record record = make_record(7);
    struct vm_file *file = create(state, 7, CAPACITY);

    assert_int_equal(head_of(file)->magic, VM_FILE_MAGIC);
    assert_int_equal(head_of(file)->layout, VM_FILE_LAYOUT);
    assert_int_equal(*file->state, VM_STARTING);
    assert_memory_equal(file->record, &record, sizeof(record));
    assert_int_equal(file->stats->exits, 0);
    assert_output(file, 0, 0);
    vm_file_free(file);
}

static void new_file_belongs_to_its_owner_alone_and_takes_a_step_of_the_ring(void **state)
{
    struct stat st;

    vm_file_free(create(state, 7, CAPACITY));
    assert_int_equal(fstatat(directory_of(state), "7.vm", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(st.st_size, FILE_SIZE);
}

static void file_that_is_there_is_not_overwritten(void **state)
{
    struct vm_file *file;

    create_with_output(state, 7, 100);
    assert_int_equal(vm_file_make(directory_of(state), 7), -EEXIST);
    file = reopen(state, 7);
    assert_output(file, 0, 100);
    vm_file_free(file);
}

static void full_disk_is_told_and_leaves_a_file_that_was_never_finished(void **state)
{
    const struct vm_record record = make_record(7);
    struct vm_file *file = NULL;
    struct error err;

    disk.room = FILE_SIZE - 1;
    assert_int_equal(vm_file_fill(make(state, 7), &record, CAPACITY, &file, &err), -EIO);
    assert_string_equal(err.text, "cannot reserve 24576 bytes for the VM's state file: "
                                  "No space left on device");
    assert_null(file);
    assert_not_opened(state, 7, -ENODATA, "it was never finished");
}

/* The ring in the file. */

static void file_grows_with_its_ring(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);
    static unsigned char data[OUTPUT_RING_STEP];

    output_ring_append(&file->ring, data, sizeof(data));
    assert_int_equal(size_of(state, "7.vm"), FILE_SIZE);
    output_ring_append(&file->ring, data, 1);
    assert_int_equal(size_of(state, "7.vm"), VM_FILE_RING_OFFSET + 2 * OUTPUT_RING_STEP);
    vm_file_free(file);
}

static void ring_on_a_full_disk_keeps_the_size_it_has_and_the_log_says_so_once(void **state)
{
    struct captured_stderr captured;
    struct vm_file *file;
    char logged[512];

    disk.room = FILE_SIZE;
    captured_stderr_begin(&captured);
    create_with_output(state, 7, OUTPUT_RING_STEP + 100);
    captured_stderr_end(&captured, logged, sizeof(logged));
    assert_string_equal(logged, "vmmd: warning: VM 'lab1': cannot reserve 32768 bytes for its "
                                "output: No space left on device, keeping half of that\n");

    assert_int_equal(size_of(state, "7.vm"), FILE_SIZE);
    file = reopen(state, 7);
    assert_int_equal(file->ring.state->capacity, OUTPUT_RING_STEP);
    assert_output(file, 100, OUTPUT_RING_STEP + 100);
    vm_file_free(file);
}

/* posix_fallocate(3): EINTR. The loop's kicks are signals. */
static void signal_while_the_ring_grows_is_no_full_disk(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);
    static unsigned char data[OUTPUT_RING_STEP + 1];

    disk.interrupts = 3;
    output_ring_append(&file->ring, data, sizeof(data));
    assert_int_equal(disk.interrupts, 0);
    assert_int_equal(file->ring.state->capacity, CAPACITY);
    assert_int_equal(file->ring.state->size, 2 * OUTPUT_RING_STEP);
    vm_file_free(file);
}

/* Opening what an earlier daemon left. */

static void everything_is_there_for_the_next_daemon(void **state)
{
    struct vm_record record = make_record(7), read;
    struct vm_file *file = create(state, 7, CAPACITY);

    guest_end_set(&record.end, GUEST_END_GUEST_EXIT, 3, "the guest exited with code 3");
    register_dump_add(&record.end.registers, "rip", 0x1000);
    *file->record = record;
    atomic_store(file->state, (uint32_t)VM_EXITED);
    exit_stats_count_exit(file->stats, 2);
    output_ring_append(&file->ring, "\0\1\2", 3);
    vm_file_free(file);

    file = reopen(state, 7);
    assert_int_equal(vm_file_state(file), VM_EXITED);
    assert_int_equal(vm_file_read_record(file, 7, &read), 0);
    assert_memory_equal(&read, &record, sizeof(record));
    assert_int_equal(file->stats->exits, 1);
    assert_int_equal(file->stats->by_reason[2], 1);
    assert_output(file, 0, 3);
    vm_file_free(file);
}

static void ring_that_grew_and_overflowed_reads_back(void **state)
{
    struct vm_file *file;

    create_with_output(state, 7, CAPACITY + 1000);
    file = reopen(state, 7);
    assert_output(file, 1000, CAPACITY + 1000);
    vm_file_free(file);
}

/* The daemon died between two stores of an append: some bytes are claimed, but not yet written. */
static void ring_left_in_the_middle_of_an_append_reads_back(void **state)
{
    struct vm_file *file = create_printing(state, 7, CAPACITY + 1000);

    atomic_store(&file->ring.state->claimed, CAPACITY + 1100);
    vm_file_free(file);

    file = reopen(state, 7);
    assert_output(file, 1100, CAPACITY + 1000);
    vm_file_free(file);
}

static void opened_file_keeps_no_descriptor(void **state)
{
    struct vm_file *file;

    create_with_output(state, 7, 10);
    file = reopen(state, 7);
    assert_int_equal(file->fd, -1);
    vm_file_free(file);
}

static void sealed_file_can_still_be_read(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);

    output_ring_append(&file->ring, "\0\1\2", 3);
    vm_file_seal(file);
    assert_int_equal(file->fd, -1);
    vm_file_seal(file);
    assert_output(file, 0, 3);
    vm_file_free(file);
}

static void file_that_is_not_there_is_not_opened(void **state)
{
    assert_not_opened(state, 7, -ENOENT, "No such file or directory");
}

static void symbolic_link_is_not_followed(void **state)
{
    create_with_output(state, 7, 10);
    assert_int_equal(symlinkat("7.vm", directory_of(state), "8.vm"), 0);
    assert_not_opened(state, 8, -ELOOP, "Too many levels of symbolic links");
}

static void directory_is_not_opened(void **state)
{
    assert_int_equal(mkdirat(directory_of(state), "7.vm", 0700), 0);
    assert_not_opened(state, 7, -EISDIR, "Is a directory");
    assert_int_equal(unlinkat(directory_of(state), "7.vm", AT_REMOVEDIR), 0);
}

static void file_without_its_magic_was_never_finished(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);

    atomic_store(&head_of(file)->magic, 0);
    vm_file_free(file);
    assert_not_opened(state, 7, -ENODATA, "it was never finished");
}

static void file_cut_at_any_length_is_refused(void **state)
{
    int fd;

    create_with_output(state, 7, 10);
    fd = open_raw(state, "7.vm");
    for (off_t size = FILE_SIZE - 1; size >= 0; size--) {
        bool has_header = size >= (off_t)sizeof(struct vm_file_head);

        assert_int_equal(ftruncate(fd, size), 0);
        assert_not_opened(state, 7, has_header ? -EBADMSG : -ENODATA,
                          has_header ? "it is damaged" : "it was never finished");
        if (size > VM_FILE_RING_OFFSET + 16)
            size -= 255; /* the ring's bytes are all alike */
    }
    close(fd);
}

static void file_of_another_layout_is_refused(void **state)
{
    static const char sentence[] = "it is not of layout 2 or 3, which this vmmd reads";
    struct vm_file *file = create(state, 7, CAPACITY);

    head_of(file)->layout = VM_FILE_LAYOUT + 1;
    assert_not_opened(state, 7, -EBADMSG, sentence);
    head_of(file)->layout = VM_FILE_LAYOUT;
    atomic_store(&head_of(file)->magic, VM_FILE_MAGIC + 1);
    assert_not_opened(state, 7, -EBADMSG, sentence);
    vm_file_free(file);
}

static void file_under_another_id_is_refused(void **state)
{
    create_with_output(state, 7, 10);
    assert_int_equal(renameat(directory_of(state), "7.vm", directory_of(state), "8.vm"), 0);
    assert_not_opened(state, 8, -EBADMSG, "it is damaged");
}

/* Counters that cannot be, in a file with two steps of ring and more bytes printed than that. */
static void ring_whose_counters_cannot_be_true_is_refused(void **state)
{
    static const struct {
        uint64_t capacity, size, claimed, end;
    } rows[] = {
        { 0, 32768, 40000, 40000 },                 /* no capacity */
        { 65535, 32768, 40000, 40000 },             /* no power of two */
        { 16384, 32768, 40000, 40000 },             /* less than is in use */
        { UINT64_C(1) << 41, 32768, 40000, 40000 }, /* more than any setting allows */
        { UINT64_MAX, 32768, 40000, 40000 },
        { 65536, 0, 40000, 40000 },     /* nothing in use */
        { 65536, 2048, 40000, 40000 },  /* less than the smallest */
        { 65536, 32767, 40000, 40000 }, /* no power of two */
        { 65536, 65536, 70000, 70000 }, /* more than the file has */
        { 65536, 32768, 39999, 40000 }, /* overwritten, and not claimed */
        { 65536, 32768, 0, 40000 },
        { 65536, 32768, 40000 + 32769, 40000 }, /* more claimed than there is */
        { 65536, 32768, UINT64_MAX, 40000 },
        { 65536, 32768, 0, 32769 },               /* more printed than fits unclaimed */
        { 65536, 32768, UINT64_MAX, UINT64_MAX }, /* more printed than any guest can */
        { 65536, 32768, UINT64_C(1) << 63, UINT64_C(1) << 63 },
    };
    struct vm_file *file = create(state, 7, 32768);
    static unsigned char data[40000];

    output_ring_append(&file->ring, data, sizeof(data));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vm_file *opened = NULL;
        struct error err;

        atomic_store(&file->ring.state->capacity, rows[i].capacity);
        atomic_store(&file->ring.state->size, rows[i].size);
        atomic_store(&file->ring.state->claimed, rows[i].claimed);
        atomic_store(&file->ring.state->end, rows[i].end);
        if (view(state, 7, &opened, &err) != -EBADMSG)
            fail_msg("row %zu was taken for sound", i);
    }
    vm_file_free(file);
}

/* How much is mapped is the worker's to say only up to what it was asked for. */
static void ring_for_more_than_was_asked_is_refused(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);

    head_of(file)->sections[VM_FILE_RING - 1].size = VM_FILE_RING_MAX;
    atomic_store(&file->ring.state->capacity, RING_MAX);
    vm_file_free(reopen(state, 7));
    atomic_store(&file->ring.state->capacity, RING_MAX * 2);
    assert_not_opened(state, 7, -EBADMSG, "it is damaged");
    vm_file_free(file);
}

static void ring_that_lies_far_out_is_refused(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);
    int fd = vm_file_open(directory_of(state), 7);

    assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0); /* there are bytes, though no disk */
    close(fd);
    head_of(file)->sections[VM_FILE_RING - 1].offset = UINT64_C(1) << 39;
    assert_not_opened(state, 7, -EBADMSG, "it is damaged");
    vm_file_free(file);
}

/* A number that is out of range, or a text without its end. */
static void record_with_a_field_that_cannot_be_is_refused(void **state)
{
#define FIELD(field)                                                                               \
    {                                                                                              \
#field, offsetof(struct vm_record, field), sizeof(((struct vm_record *)NULL)->field)       \
    }
    static const struct {
        const char *name;
        size_t offset, size;
    } fields[] = {
        FIELD(id),
        FIELD(name),
        FIELD(image),
        FIELD(machine.format),
        FIELD(machine.mode),
        FIELD(machine.machine),
        FIELD(machine.note),
        FIELD(created_ns),
        FIELD(started_ns),
        FIELD(ended_ns),
        FIELD(end.reason),
        FIELD(end.message),
        FIELD(end.registers.count),
        FIELD(end.registers.rows[0].name),
        FIELD(end.registers.code_size),
        FIELD(start_about),
    };
#undef FIELD
    struct vm_file *file = create(state, 7, CAPACITY);
    unsigned char *bytes = (unsigned char *)file->record;

    register_dump_add(&file->record->end.registers, "rip", 0x1000);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        unsigned char kept[sizeof(file->record->end.message)];
        struct vm_file *opened = NULL;
        struct error err;

        memcpy(kept, bytes + fields[i].offset, fields[i].size);
        memset(bytes + fields[i].offset, 0xff, fields[i].size);
        if (view(state, 7, &opened, &err) != -EBADMSG)
            fail_msg("'%s' was taken for sound", fields[i].name);
        memcpy(bytes + fields[i].offset, kept, fields[i].size);
    }
    vm_file_free(reopen(state, 7)); /* all of it was put back */
    vm_file_free(file);
}

static void state_that_cannot_be_is_refused(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);

    atomic_store(file->state, (uint32_t)VM_STATE_COUNT);
    assert_not_opened(state, 7, -EBADMSG, "it is damaged");
    vm_file_free(file);
}

/* The writer goes on to write whatever it likes while the file is read. */
static void what_becomes_nonsense_later_is_not_read(void **state)
{
    struct vm_file *file = create_printing(state, 7, 100), *viewed = reopen(state, 7);
    char text[NOTE_TEXT_SIZE];
    struct output_chunk chunk;
    struct register_dump dump;
    struct vm_record record;

    memset(file->record->name, 'x', sizeof(file->record->name));
    assert_int_equal(vm_file_read_record(viewed, 7, &record), -EBADMSG);
    memset(file->stopped, 0xff, sizeof(*file->stopped));
    vm_file_read_stopped(viewed, &dump);
    assert_int_equal(dump.count, 0);
    memset(file->ring_note, 0xff, sizeof(*file->ring_note));
    vm_file_read_ring_note(viewed, text);
    assert_int_equal(strlen(text), NOTE_TEXT_SIZE - 1);
    atomic_store(file->state, 99);
    assert_int_equal(vm_file_state(viewed), VM_STARTING);
    for (uint64_t size = 0; size < 64; size++) {
        atomic_store(&file->ring.state->size, size ? UINT64_C(1) << size : 0);
        if (size < 15 || size > 16) /* what is in use, and what is mapped */
            atomic_store(&file->ring.state->end, UINT64_MAX >> size);
        (void)output_ring_first(&viewed->ring);
        (void)output_ring_read(&viewed->ring, 0, text, sizeof(text), &chunk);
    }
    vm_file_free(viewed);
    vm_file_free(file);
}

/* Sections. */

/* A record as a later vmmd has it, with more at its end; and one as an earlier had it. */
static void record_that_grew_or_is_shorter_is_read_as_far_as_both_know(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY), *viewed;
    struct vm_file_section *section = &head_of(file)->sections[VM_FILE_RECORD - 1];
    struct vm_record record;

    assert_int_equal(section->tag, VM_FILE_RECORD);
    file->record->cpus = 4;
    guest_end_set(&file->record->end, GUEST_END_HALTED, 0, "the guest halted");
    section->size += 8;
    viewed = reopen(state, 7);
    assert_int_equal(vm_file_read_record(viewed, 7, &record), 0);
    assert_string_equal(record.end.message, "the guest halted");
    vm_file_free(viewed);

    section->size = offsetof(struct vm_record, end);
    viewed = reopen(state, 7);
    assert_int_equal(vm_file_read_record(viewed, 7, &record), 0);
    assert_int_equal(record.cpus, 4);
    assert_int_equal(record.end.reason, GUEST_END_NONE);
    vm_file_free(viewed);
    vm_file_free(file);
}

static void section_of_a_later_vmmd_is_passed_over(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);
    struct vm_file_head *head = head_of(file);

    head->sections[head->section_count++] =
        (struct vm_file_section){ .tag = 99, .offset = 3, .size = UINT64_MAX };
    vm_file_free(reopen(state, 7));
    vm_file_free(file);
}

static void table_of_sections_that_cannot_be_is_refused(void **state)
{
    static const struct {
        uint32_t tag; /* whose section */
        struct vm_file_section section;
    } rows[] = {
        { VM_FILE_LIVE, { VM_FILE_STATS, 0, 4096, sizeof(struct exit_stats) } }, /* twice */
        { VM_FILE_LIVE, { VM_FILE_LIVE, 0, 400, 0 } },
        { VM_FILE_LIVE, { VM_FILE_LIVE, 0, 400, 31 } },
        { VM_FILE_LIVE, { VM_FILE_LIVE, 0, 404, 32 } },
        { VM_FILE_RECORD, { VM_FILE_RECORD, 0, 8192, 1840 } }, /* in the ring */
        { VM_FILE_RECORD, { VM_FILE_RECORD, 0, UINT64_MAX - 7, 1840 } },
        { VM_FILE_RECORD, { VM_FILE_RECORD, 0, 664, UINT64_MAX } },
        { VM_FILE_STATS, { VM_FILE_STATS, 0, UINT64_C(1) << 40, sizeof(struct exit_stats) } },
        { VM_FILE_STATS, { 99, 0, 4096, sizeof(struct exit_stats) } }, /* none */
        { VM_FILE_RING, { VM_FILE_RING, 0, 0, CAPACITY } },
        { VM_FILE_RING, { VM_FILE_RING, 0, UINT64_C(1) << 40, CAPACITY } },
        { VM_FILE_RING, { VM_FILE_RING, 0, 8192, CAPACITY / 2 } }, /* less than its capacity */
        { VM_FILE_RING, { VM_FILE_RING, 0, 8192, UINT64_MAX } },
    };
    struct vm_file *file = create(state, 7, CAPACITY);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vm_file_section *section = &head_of(file)->sections[rows[i].tag - 1];
        struct vm_file_section kept = *section;
        struct vm_file *opened;
        struct error err;

        *section = rows[i].section;
        if (view(state, 7, &opened, &err) != -EBADMSG)
            fail_msg("row %zu was taken for sound", i);
        *section = kept;
    }
    head_of(file)->section_count = VM_FILE_SECTIONS_MAX + 1;
    assert_not_opened(state, 7, -EBADMSG, "it is damaged");
    head_of(file)->section_count = VM_FILE_TAG_COUNT - 1;
    vm_file_free(reopen(state, 7));
    vm_file_free(file);
}

/* As vmmd 0.1 wrote it: { magic, layout, state, ring state, ring note, POST codes, record }. */
static void file_of_layout_2_is_read(void **state)
{
    const struct output_ring_state ring = { .capacity = CAPACITY,
                                            .size = OUTPUT_RING_STEP,
                                            .end = 3 };
    const uint64_t magic = VM_FILE_MAGIC;
    const uint32_t layout = 2, exited = VM_EXITED;
    struct vm_record record = make_record(7), read;
    struct vm_file *file;
    int fd = make(state, 7);

    guest_end_set(&record.end, GUEST_END_HALTED, 0, "the guest halted");
    assert_int_equal(ftruncate(fd, FILE_SIZE), 0);
    assert_int_equal(pwrite(fd, &magic, 8, 0), 8);
    assert_int_equal(pwrite(fd, &layout, 4, 8), 4);
    assert_int_equal(pwrite(fd, &exited, 4, 12), 4);
    assert_int_equal(pwrite(fd, &ring, sizeof(ring), 16), sizeof(ring));
    assert_int_equal(pwrite(fd, &record, 1840, 248), 1840);
    assert_int_equal(pwrite(fd, "\0\1\2", 3, VM_FILE_RING_OFFSET), 3);

    file = reopen(state, 7);
    assert_int_equal(vm_file_state(file), VM_EXITED);
    assert_int_equal(vm_file_read_record(file, 7, &read), 0);
    assert_memory_equal(&read, &record, sizeof(read));
    assert_output(file, 0, 3);
    vm_file_free(file);

    record.ended_ns = 1;
    assert_int_equal(vm_file_write_end(fd, &record, VM_LOST), 0);
    close(fd);
    file = reopen(state, 7);
    assert_int_equal(vm_file_state(file), VM_LOST);
    assert_int_equal(vm_file_read_record(file, 7, &read), 0);
    assert_int_equal(read.ended_ns, 1);
    assert_output(file, 0, 3);
    vm_file_free(file);
}

static void ending_is_written_into_a_file_that_nobody_writes_any_more(void **state)
{
    struct vm_file *file = create_printing(state, 7, 5);
    struct vm_record record = make_record(7), read;
    int fd = open_raw(state, "7.vm");

    vm_file_free(file);
    guest_end_set(&record.end, GUEST_END_DAEMON_LOST, 0, "gone");
    assert_int_equal(vm_file_write_end(fd, &record, VM_LOST), 0);
    file = reopen(state, 7);
    assert_int_equal(vm_file_state(file), VM_LOST);
    assert_int_equal(vm_file_read_record(file, 7, &read), 0);
    assert_memory_equal(&read, &record, sizeof(read));
    assert_output(file, 0, 5);
    vm_file_free(file);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(vm_file_write_end(fd, &record, VM_LOST), -EBADMSG);
    close(fd);
}

/* What the daemon does with a file it has opened: nothing of it may lead anywhere else. */
static void use(const struct vm_file *file)
{
    char text[NOTE_TEXT_SIZE];
    struct register_dump dump;
    struct output_chunk chunk;
    unsigned char data[64];

    assert_non_null(vm_state_to_string(vm_file_state(file)));
    vm_file_read_stopped(file, &dump);
    assert_in_range(dump.count, 0, REGISTER_DUMP_MAX);
    vm_file_read_ring_note(file, text);
    assert_in_range(strlen(text), 0, NOTE_TEXT_SIZE - 1);
    assert_true(output_ring_first(&file->ring) <= output_ring_end(&file->ring));
    assert_int_equal(output_ring_read(&file->ring, 0, data, sizeof(data), &chunk), 0);
    assert_int_equal(
        output_ring_read(&file->ring, output_ring_end(&file->ring), data, sizeof(data), &chunk), 0);
}

static void open_and_use(void *const *state, uint64_t id)
{
    struct vm_file *file = NULL;
    struct error err;
    int r = view(state, id, &file, &err);

    if (r == 0)
        use(file);
    else if (r != -ENODATA)
        assert_int_equal(r, -EBADMSG);
    vm_file_free(file);
}

static void file_with_any_byte_changed_is_refused_or_safe_to_use(void **state)
{
    static const unsigned char flips[] = { 0x01, 0x10, 0x80, 0xff };
    struct vm_file *file = create_printing(state, 7, CAPACITY + 1000);
    unsigned char *bytes = file->map;

    register_dump_add(&file->record->end.registers, "rip", 0x1000);
    for (size_t i = 0; i < VM_FILE_STATS_OFFSET; i++) {
        for (size_t n = 0; n < sizeof(flips); n++) {
            bytes[i] ^= flips[n];
            open_and_use(state, 7);
            bytes[i] ^= flips[n];
        }
    }
    vm_file_free(file);
}

/* Removing, and names. */

static void removed_file_is_gone(void **state)
{
    create_with_output(state, 7, 10);
    create_with_output(state, 8, 10);
    assert_int_equal(vm_file_remove(directory_of(state), 7), 0);
    assert_not_opened(state, 7, -ENOENT, "No such file or directory");
    assert_int_equal(vm_file_remove(directory_of(state), 7), -ENOENT);
    vm_file_free(reopen(state, 8));
}

static void removed_file_that_is_mapped_can_be_used_on(void **state)
{
    struct vm_file *file = create(state, 7, CAPACITY);

    output_ring_append(&file->ring, "\0\1", 2);
    assert_int_equal(vm_file_remove(directory_of(state), 7), 0);
    output_ring_append(&file->ring, "\2", 1);
    assert_output(file, 0, 3);
    vm_file_free(file);
}

static void discarded_file_is_no_vm_s_and_can_be_removed(void **state)
{
    create_with_output(state, 7, 10);
    assert_int_equal(vm_file_discard(directory_of(state), 7), 0);
    assert_not_opened(state, 7, -ENOENT, "No such file or directory");
    assert_int_equal(vm_file_discard(directory_of(state), 7), -ENOENT);
    assert_int_equal(vm_file_remove_discarded(directory_of(state), 7), 0);
    assert_int_equal(vm_file_remove_discarded(directory_of(state), 7), -ENOENT);
}

static void id_is_read_from_the_name_of_a_discarded_file(void **state)
{
    (void)state;
    assert_int_equal(vm_file_discarded_id("7.gone"), 7);
    assert_int_equal(vm_file_discarded_id("7.vm"), 0);
    assert_int_equal(vm_file_discarded_id("07.gone"), 0);
    assert_int_equal(vm_file_id("7.gone"), 0);
}

static void free_accepts_null(void **state)
{
    (void)state;
    vm_file_free(NULL);
}

static void id_is_read_from_the_name_of_a_file(void **state)
{
    (void)state;
    assert_int_equal(vm_file_id("1.vm"), 1);
    assert_int_equal(vm_file_id("1234567890.vm"), 1234567890);
    assert_int_equal(vm_file_id("4611686018427387903.vm"), VM_FILE_ID_MAX);
    assert_int_equal(vm_file_id("18446744073709551615.vm"), 0); /* the next id would be 0 */
}

static void any_other_name_is_not_of_a_vm_file(void **state)
{
    static const char *const names[] = {
        "",      ".",      "..",    "lock",   "next-id", ".vm",    "0.vm",
        "01.vm", "+1.vm",  "-1.vm", " 1.vm",  "1 .vm",   "1.vm ",  "1",
        "1.",    "1.vmx",  "1.VM",  "1.vm~",  "1.1.vm",  "0x1.vm", "a.vm",
        "1a.vm", "1.vm.1", "1.v",   "1vm.vm", "-0.vm",   "1e3.vm", "18446744073709551616.vm",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (vm_file_id(names[i]) != 0)
            fail_msg("'%s'", names[i]);
}

/* A test with a directory of its own. */
#define directory_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        directory_test(new_file_holds_the_record_in_state_starting),
        directory_test(new_file_belongs_to_its_owner_alone_and_takes_a_step_of_the_ring),
        directory_test(file_that_is_there_is_not_overwritten),
        directory_test(full_disk_is_told_and_leaves_a_file_that_was_never_finished),
        directory_test(file_grows_with_its_ring),
        directory_test(ring_on_a_full_disk_keeps_the_size_it_has_and_the_log_says_so_once),
        directory_test(signal_while_the_ring_grows_is_no_full_disk),
        directory_test(everything_is_there_for_the_next_daemon),
        directory_test(ring_that_grew_and_overflowed_reads_back),
        directory_test(ring_left_in_the_middle_of_an_append_reads_back),
        directory_test(opened_file_keeps_no_descriptor),
        directory_test(sealed_file_can_still_be_read),
        directory_test(file_that_is_not_there_is_not_opened),
        directory_test(symbolic_link_is_not_followed),
        directory_test(directory_is_not_opened),
        directory_test(file_without_its_magic_was_never_finished),
        directory_test(file_cut_at_any_length_is_refused),
        directory_test(file_of_another_layout_is_refused),
        directory_test(file_under_another_id_is_refused),
        directory_test(ring_whose_counters_cannot_be_true_is_refused),
        directory_test(ring_for_more_than_was_asked_is_refused),
        directory_test(ring_that_lies_far_out_is_refused),
        directory_test(record_with_a_field_that_cannot_be_is_refused),
        directory_test(state_that_cannot_be_is_refused),
        directory_test(what_becomes_nonsense_later_is_not_read),
        directory_test(record_that_grew_or_is_shorter_is_read_as_far_as_both_know),
        directory_test(section_of_a_later_vmmd_is_passed_over),
        directory_test(table_of_sections_that_cannot_be_is_refused),
        directory_test(file_of_layout_2_is_read),
        directory_test(ending_is_written_into_a_file_that_nobody_writes_any_more),
        directory_test(file_with_any_byte_changed_is_refused_or_safe_to_use),
        directory_test(removed_file_is_gone),
        directory_test(removed_file_that_is_mapped_can_be_used_on),
        directory_test(discarded_file_is_no_vm_s_and_can_be_removed),
        cmocka_unit_test(id_is_read_from_the_name_of_a_discarded_file),
        cmocka_unit_test(free_accepts_null),
        cmocka_unit_test(id_is_read_from_the_name_of_a_file),
        cmocka_unit_test(any_other_name_is_not_of_a_vm_file),
    };

    return cmocka_run_group_tests_name("vm_file", tests, NULL, NULL);
}

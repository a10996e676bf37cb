/*
 * Fuzz target: a VM's file, as the daemon reads it, whatever its worker wrote.
 *
 * Input: the file, from its start; what is not in the input is zeros. Behind a 0xff that is
 * followed by CHANGES: rows of { offset, 16 bits; value, 8 bits }, which are written into the file
 * while it is mapped, and between one look at it and the next.
 */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/vm_file.h"
#include "util/bus_error.h"

enum { ID = 7, CHANGES_MAX = 64, READ_SIZE = 48 * 1024, RING_MAX = 16 * 1024 * 1024 };

/* Large enough for a ring of a few sizes. */
enum { FILE_SIZE_MAX = VM_FILE_RING_OFFSET + 64 * 1024 };

static const char separator[] = "\xff"
                                "CHANGES";

struct change {
    uint8_t offset[2];
    uint8_t value;
};

/* A text that has its end within size bytes. */
static void look_at_text(const char *text, size_t size)
{
    REQUIRE(memchr(text, '\0', size) != NULL);
}

static void look_at_dump(const struct register_dump *dump)
{
    REQUIRE(dump->count <= REGISTER_DUMP_MAX && dump->code_size <= REGISTER_DUMP_CODE_MAX);
    for (uint64_t i = 0; i < dump->count; i++)
        look_at_text(dump->rows[i].name, sizeof(dump->rows[i].name));
}

static void look_at_record(const struct vm_file *file)
{
    struct vm_record record;

    if (vm_file_read_record(file, ID, &record) < 0)
        return;
    REQUIRE(record.id == ID);
    REQUIRE(guest_end_reason_to_string(record.end.reason));
    look_at_text(record.name, sizeof(record.name));
    look_at_text(record.image, sizeof(record.image));
    look_at_text(record.machine.format, sizeof(record.machine.format));
    look_at_text(record.machine.mode, sizeof(record.machine.mode));
    look_at_text(record.machine.machine, sizeof(record.machine.machine));
    look_at_text(record.machine.note, sizeof(record.machine.note));
    look_at_text(record.end.message, sizeof(record.end.message));
    look_at_text(record.start_about, sizeof(record.start_about));
    look_at_dump(&record.end.registers);
}

static void look_at_output(const struct vm_file *file)
{
    static unsigned char data[READ_SIZE];
    uint64_t position = output_ring_first(&file->ring);
    struct output_chunk chunk;

    for (int i = 0; i < 4; i++) {
        if (output_ring_read(&file->ring, position, data, sizeof(data), &chunk) < 0)
            return;
        REQUIRE(chunk.start >= position && chunk.length <= sizeof(data));
        position = chunk.start + chunk.length;
    }
}

static void look_at_the_rest(const struct vm_file *file)
{
    struct register_dump dump;
    char note[NOTE_TEXT_SIZE];
    uint64_t sum = 0;
    uint8_t code;

    REQUIRE(vm_state_to_string(vm_file_state(file)));
    vm_file_read_stopped(file, &dump);
    look_at_dump(&dump);
    vm_file_read_ring_note(file, note);
    look_at_text(note, sizeof(note));
    post_code_get(&file->post->port_80, &code);
    post_code_get(&file->post->port_190, &code);
    for (size_t i = 0; i < EXIT_STATS_IO_ROWS; i++)
        sum += counter_get(&file->stats->io[i].count);
    sum += counter_get(&file->stats->by_reason[EXIT_STATS_REASONS - 1]);
    if (file->live)
        sum += atomic_load(&file->live->stood_ns);
    REQUIRE(sum <= UINT64_MAX);
}

static void look_at(const struct vm_file *file)
{
    look_at_record(file);
    look_at_output(file);
    look_at_the_rest(file);
}

/* One of the file's first 64 KiB. */
static void make_change(int fd, const struct change *change)
{
    off_t offset = change->offset[0] | change->offset[1] << 8;

    REQUIRE(pwrite(fd, &change->value, 1, offset) == 1);
}

static void end_it(int fd)
{
    struct vm_record record = { .id = ID };
    struct vm_file *file;

    guest_end_set(&record.end, GUEST_END_WORKER_LOST, 0, "its worker is gone");
    if (vm_file_write_end(fd, &record, VM_LOST) == 0 &&
        vm_file_view(fd, ID, RING_MAX, &file, NULL) == 0) {
        look_at(file);
        vm_file_free(file);
    }
}

static void view(int fd, const struct change *changes, size_t count)
{
    struct vm_file *file;
    struct error err = { .text = "" };
    uintptr_t address;

    if (vm_file_view(fd, ID, RING_MAX, &file, &err) < 0) {
        REQUIRE(err.code < 0 && err.text[0]);
        end_it(fd);
        return;
    }
    look_at(file);
    for (size_t i = 0; i < count; i++) {
        make_change(fd, &changes[i]);
        look_at(file);
    }
    REQUIRE(ftruncate(fd, VM_FILE_STATS_OFFSET) == 0); /* somebody cuts it short */
    look_at(file);
    while (bus_error_take(&address))
        REQUIRE(address >= (uintptr_t)file->map && address - (uintptr_t)file->map < file->map_size);
    vm_file_free(file);
    end_it(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct change changes[CHANGES_MAX];
    static int handled;
    const uint8_t *more = memmem(data, size, separator, sizeof(separator) - 1);
    size_t length = more ? (size_t)(more - data) : size, count = 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (!handled++)
        (void)bus_error_install();
    if (more) {
        more += sizeof(separator) - 1;
        count = (size_t)(data + size - more) / sizeof(changes[0]);
        count = count < CHANGES_MAX ? count : CHANGES_MAX;
        memcpy(changes, more, count * sizeof(changes[0]));
    }
    length = length < FILE_SIZE_MAX ? length : FILE_SIZE_MAX;
    REQUIRE(fd >= 0 && write(fd, data, length) == (ssize_t)length);
    /* one that has a whole head has the rest of a file, too */
    if (length >= sizeof(struct vm_file_head))
        REQUIRE(ftruncate(fd, FILE_SIZE_MAX) == 0);
    view(fd, changes, count);
    close(fd);
    return 0;
}

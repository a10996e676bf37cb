#include "shared/vm_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

DEFINE_CLEANUP(struct vm_file *, vm_file_free);

enum { FILE_NAME_SIZE = 32 };

/* The small sections, of this layout and those to come, lie below. */
#define RING_OFFSET_MAX (UINT64_C(1) << 20)

/* What each section is. In place: read where it lies, so it must be there whole. */
static const struct section_kind {
    size_t size;
    bool in_place;
    bool optional;
} kinds[VM_FILE_TAG_COUNT] = {
    [VM_FILE_LIVE] = { sizeof(struct vm_live), true, true },
    [VM_FILE_RING_STATE] = { sizeof(struct output_ring_state), true, false },
    [VM_FILE_RING_NOTE] = { sizeof(struct note), true, false },
    [VM_FILE_POST] = { sizeof(struct post_codes), true, false },
    [VM_FILE_RECORD] = { sizeof(struct vm_record), false, false },
    [VM_FILE_STOPPED] = { sizeof(struct register_dump), false, true },
    [VM_FILE_STATS] = { sizeof(struct exit_stats), true, false },
    [VM_FILE_RING] = { OUTPUT_RING_CAPACITY_MIN, true, false },
};

/* Layout 2 was { magic, layout, state, ring state, ring note, POST codes, record } and these. */
enum { LAYOUT_2 = 2, LAYOUT_2_STATE_OFFSET = 12 };

static const struct vm_file_section layout_2[] = {
    { .tag = VM_FILE_RING_STATE, .offset = 16, .size = sizeof(struct output_ring_state) },
    { .tag = VM_FILE_RING_NOTE, .offset = 48, .size = sizeof(struct note) },
    { .tag = VM_FILE_POST, .offset = 240, .size = sizeof(struct post_codes) },
    { .tag = VM_FILE_RECORD, .offset = 248, .size = 1840 },
    { .tag = VM_FILE_STATS, .offset = 4096, .size = sizeof(struct exit_stats) },
    { .tag = VM_FILE_RING, .offset = 8192, .size = VM_FILE_RING_MAX },
};

static void format_name(uint64_t id, char name[static FILE_NAME_SIZE])
{
    snprintf(name, FILE_NAME_SIZE, "%" PRIu64 ".vm", id);
}

static void format_discarded_name(uint64_t id, char name[static FILE_NAME_SIZE])
{
    snprintf(name, FILE_NAME_SIZE, "%" PRIu64 ".gone", id);
}

typedef void (*format_fn)(uint64_t id, char name[static FILE_NAME_SIZE]);

static uint64_t id_of(const char *name, format_fn format)
{
    char canonical[FILE_NAME_SIZE];
    uint64_t id = strtoull(name, NULL, 10);

    format(id, canonical);
    return strcmp(name, canonical) == 0 && id <= VM_FILE_ID_MAX ? id : 0;
}

uint64_t vm_file_id(const char *name)
{
    return id_of(name, format_name);
}

uint64_t vm_file_discarded_id(const char *name)
{
    return id_of(name, format_discarded_name);
}

int vm_file_make(int directory_fd, uint64_t id)
{
    char name[FILE_NAME_SIZE];
    int fd;

    format_name(id, name);
    fd = openat(directory_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

int vm_file_open(int directory_fd, uint64_t id)
{
    char name[FILE_NAME_SIZE];
    int fd;

    format_name(id, name);
    fd = openat(directory_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int vm_file_remove(int directory_fd, uint64_t id)
{
    char name[FILE_NAME_SIZE];

    format_name(id, name);
    return unlinkat(directory_fd, name, 0) < 0 ? -errno : 0;
}

int vm_file_discard(int directory_fd, uint64_t id)
{
    char name[FILE_NAME_SIZE], discarded[FILE_NAME_SIZE];

    format_name(id, name);
    format_discarded_name(id, discarded);
    return renameat(directory_fd, name, directory_fd, discarded) < 0 ? -errno : 0;
}

int vm_file_remove_discarded(int directory_fd, uint64_t id)
{
    char name[FILE_NAME_SIZE];

    format_discarded_name(id, name);
    return unlinkat(directory_fd, name, 0) < 0 ? -errno : 0;
}

/* Where sections are, in memory. */

/* NULL: the file has no such section. */
static void *at(const struct vm_file *file, enum vm_file_tag tag)
{
    const struct vm_file_section *section = &file->sections[tag];

    return section->size > 0 ? file->map + section->offset : NULL;
}

static void find_sections(struct vm_file *file)
{
    file->live = at(file, VM_FILE_LIVE);
    file->state = file->live ? &file->live->state
                             : (_Atomic uint32_t *)(void *)(file->map + LAYOUT_2_STATE_OFFSET);
    file->ring_note = at(file, VM_FILE_RING_NOTE);
    file->post = at(file, VM_FILE_POST);
    file->stats = at(file, VM_FILE_STATS);
    file->record = at(file, VM_FILE_RECORD);
    file->stopped = at(file, VM_FILE_STOPPED);
    file->ring = (struct output_ring){
        .state = at(file, VM_FILE_RING_STATE),
        .bytes = at(file, VM_FILE_RING),
        .mapped = file->sections[VM_FILE_RING].size,
    };
}

static int map_file(struct vm_file *file, int fd, int protection)
{
    const struct vm_file_section *ring = &file->sections[VM_FILE_RING];
    void *map;

    file->map_size = ring->offset + ring->size;
    map = mmap(NULL, file->map_size, protection, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    file->map = map;
    find_sections(file);
    return 0;
}

/* Writing one. */

static int reserve(const struct vm_file *file, uint64_t ring_size)
{
    int r;

    do
        r = posix_fallocate(file->fd, 0, (off_t)(VM_FILE_RING_OFFSET + ring_size));
    while (r == EINTR); /* a kick of the VM's thread (kvm/vcpu_kick.h) */
    return -r;
}

/* For the ring. That it keeps the size it has is to be seen in its capacity, and in the log. */
static int reserve_more(void *context, uint64_t ring_size)
{
    const struct vm_file *file = context;
    const struct vm_record *record = file->record;
    int r = reserve(file, ring_size);

    if (r < 0)
        log_vm_line(LOG_LEVEL_WARNING, record->id, record->name,
                    "cannot reserve %" PRIu64 " bytes for its output: %s, keeping half of that",
                    ring_size, strerror(-r));
    return r;
}

/* The small ones lie one behind the other, behind the head. */
static void lay_out(struct vm_file *file, uint64_t ring_capacity)
{
    uint64_t offset = sizeof(struct vm_file_head);

    for (unsigned tag = VM_FILE_LIVE; tag < VM_FILE_TAG_COUNT; tag++) {
        struct vm_file_section *section = &file->sections[tag];

        *section = (struct vm_file_section){ .tag = tag, .size = kinds[tag].size };
        if (tag == VM_FILE_STATS) {
            section->offset = VM_FILE_STATS_OFFSET;
        } else if (tag == VM_FILE_RING) {
            section->offset = VM_FILE_RING_OFFSET;
            section->size = ring_capacity;
        } else {
            section->offset = offset;
            offset += (section->size + 7) / 8 * 8;
        }
    }
}

static_assert(sizeof(struct vm_file_head) + sizeof(struct vm_live) +
                      sizeof(struct output_ring_state) + sizeof(struct note) +
                      sizeof(struct post_codes) + sizeof(struct vm_record) +
                      sizeof(struct register_dump) + VM_FILE_TAG_COUNT * 8 <=
                  VM_FILE_STATS_OFFSET,
              "the small sections lie before the statistics");
static_assert(sizeof(struct exit_stats) <= VM_FILE_RING_OFFSET - VM_FILE_STATS_OFFSET, "likewise");
static_assert((int)VM_FILE_TAG_COUNT - 1 <= (int)VM_FILE_SECTIONS_MAX, "a row for each section");

static void write_head(struct vm_file *file)
{
    struct vm_file_head *head = (struct vm_file_head *)(void *)file->map;

    head->layout = VM_FILE_LAYOUT;
    head->section_count = VM_FILE_TAG_COUNT - 1;
    memcpy(head->sections, &file->sections[VM_FILE_LIVE],
           head->section_count * sizeof(head->sections[0]));
    atomic_store(&head->magic, VM_FILE_MAGIC);
}

int vm_file_fill(int fd, const struct vm_record *record, uint64_t ring_capacity,
                 struct vm_file **ret, struct error *err)
{
    _cleanup_(vm_file_freep) struct vm_file *file = calloc(1, sizeof(*file));
    uint64_t size = output_ring_first_size(ring_capacity);
    int r;

    if (!file) {
        close(fd);
        return error_set(err, -ENOMEM, "out of memory");
    }
    file->fd = fd;
    lay_out(file, ring_capacity);
    r = reserve(file, size);
    if (r == 0)
        r = map_file(file, fd, PROT_READ | PROT_WRITE);
    if (r < 0)
        return error_set(err, -EIO, "cannot reserve %" PRIu64 " bytes for the VM's state file: %s",
                         size + VM_FILE_RING_OFFSET, strerror(-r));

    *file->record = *record;
    atomic_store(&file->ring.state->capacity, ring_capacity);
    atomic_store(&file->ring.state->size, size);
    atomic_store(file->state, (uint32_t)VM_STARTING);
    file->ring.reserve = reserve_more;
    file->ring.context = file;
    write_head(file);
    *ret = TAKE_PTR(file);
    return 0;
}

/* Reading one. Nothing here is believed before it was copied and checked. */

static bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* Whether what the ring's counters say can be true of a file of file_size bytes. */
static bool ring_is_sound(const struct output_ring_state *ring, uint64_t offset, uint64_t file_size)
{
    uint64_t capacity = atomic_load(&ring->capacity), size = atomic_load(&ring->size);
    uint64_t claimed = atomic_load(&ring->claimed), end = atomic_load(&ring->end);

    return offset <= file_size && is_power_of_two(size) && size >= OUTPUT_RING_CAPACITY_MIN &&
           size <= file_size - offset && is_power_of_two(capacity) && capacity >= size &&
           capacity <= VM_FILE_RING_MAX && end <= INT64_MAX && claimed <= end + size &&
           (claimed > size ? claimed >= end : end <= size);
}

static bool is_terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool dump_is_sound(const struct register_dump *dump)
{
    bool sound = dump->count <= REGISTER_DUMP_MAX && dump->code_size <= REGISTER_DUMP_CODE_MAX;

    for (uint64_t i = 0; sound && i < dump->count; i++)
        sound = is_terminated(dump->rows[i].name, REGISTER_NAME_SIZE);
    return sound;
}

static bool record_is_sound(const struct vm_record *record, uint64_t id)
{
    const struct vm_machine_record *machine = &record->machine;

    return record->id == id && (unsigned)record->end.reason < GUEST_END_COUNT &&
           record->created_ns >= 0 && record->started_ns >= 0 && record->ended_ns >= 0 &&
           is_terminated(record->name, sizeof(record->name)) &&
           is_terminated(record->image, sizeof(record->image)) &&
           is_terminated(machine->format, sizeof(machine->format)) &&
           is_terminated(machine->mode, sizeof(machine->mode)) &&
           is_terminated(machine->machine, sizeof(machine->machine)) &&
           is_terminated(machine->note, sizeof(machine->note)) &&
           is_terminated(record->end.message, sizeof(record->end.message)) &&
           is_terminated(record->start_about, sizeof(record->start_about)) &&
           dump_is_sound(&record->end.registers);
}

static int read_exactly(int fd, void *data, size_t size, uint64_t offset, struct error *err)
{
    ssize_t n = pread(fd, data, size, (off_t)offset);

    if (n < 0)
        return error_set(err, -errno, "%s", strerror(errno));
    if ((size_t)n < size)
        return error_set(err, -ENODATA, "it was never finished");
    return 0;
}

static bool take_section(struct vm_file *file, const struct vm_file_section *section)
{
    const struct section_kind *kind;

    if (section->tag == 0 || section->tag >= VM_FILE_TAG_COUNT)
        return true; /* a later vmmd's */
    kind = &kinds[section->tag];
    if (file->sections[section->tag].size > 0 || section->size == 0 || section->offset % 8 != 0 ||
        section->size > VM_FILE_RING_MAX || section->offset > VM_FILE_RING_MAX ||
        (kind->in_place && section->size < kind->size))
        return false;
    file->sections[section->tag] = *section;
    return true;
}

/* The table of sections, its own or that of layout 2. */
static bool take_sections(struct vm_file *file, const struct vm_file_section *sections,
                          size_t count, uint64_t file_size)
{
    const struct vm_file_section *ring = &file->sections[VM_FILE_RING];

    for (size_t i = 0; i < count; i++)
        if (!take_section(file, &sections[i]))
            return false;
    for (unsigned tag = VM_FILE_LIVE; tag < VM_FILE_TAG_COUNT; tag++) {
        const struct vm_file_section *section = &file->sections[tag];

        if (section->size == 0 && !kinds[tag].optional)
            return false;
        /* before the ring, which is the one that the file's end need not reach */
        if (tag != VM_FILE_RING && section->size > 0 &&
            (section->offset + section->size > file_size ||
             section->offset + section->size > ring->offset))
            return false;
    }
    return true;
}

static int read_head(struct vm_file *file, int fd, uint64_t file_size, struct error *err)
{
    struct vm_file_head head;
    bool sound;
    int r = read_exactly(fd, &head, sizeof(head), 0, err);

    if (r < 0)
        return r;
    if (atomic_load(&head.magic) == 0)
        return error_set(err, -ENODATA, "it was never finished");
    if (atomic_load(&head.magic) != VM_FILE_MAGIC ||
        (head.layout != VM_FILE_LAYOUT && head.layout != LAYOUT_2))
        return error_set(err, -EBADMSG, "it is not of layout %d or %d, which this vmmd reads",
                         LAYOUT_2, VM_FILE_LAYOUT);
    if (head.layout == LAYOUT_2)
        sound = take_sections(file, layout_2, sizeof(layout_2) / sizeof(layout_2[0]), file_size);
    else
        sound = head.section_count <= VM_FILE_SECTIONS_MAX &&
                take_sections(file, head.sections, head.section_count, file_size) &&
                file->sections[VM_FILE_LIVE].size > 0;
    return sound ? 0 : error_set(err, -EBADMSG, "it is damaged");
}

/* The ring's counters are read once more whenever it is read: that it makes sense now is no more
 * than that. How much of the file is mapped is decided here, though. */
static int check_ring(struct vm_file *file, int fd, uint64_t file_size, uint64_t ring_max,
                      struct error *err)
{
    struct vm_file_section *ring = &file->sections[VM_FILE_RING];
    struct output_ring_state state;
    int r = read_exactly(fd, &state, sizeof(state), file->sections[VM_FILE_RING_STATE].offset, err);

    if (r < 0)
        return r;
    if (!ring_is_sound(&state, ring->offset, file_size) || ring->offset > RING_OFFSET_MAX ||
        atomic_load(&state.capacity) > ring->size || atomic_load(&state.capacity) > ring_max)
        return error_set(err, -EBADMSG, "it is damaged");
    ring->size = atomic_load(&state.capacity);
    return 0;
}

int vm_file_view(int fd, uint64_t id, uint64_t ring_max, struct vm_file **ret, struct error *err)
{
    _cleanup_(vm_file_freep) struct vm_file *file = calloc(1, sizeof(*file));
    struct vm_record record;
    struct stat st;
    int r;

    if (!file)
        return error_set(err, -ENOMEM, "out of memory");
    file->fd = -1;
    if (fstat(fd, &st) < 0)
        return error_set(err, -errno, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EBADMSG, "it is not a regular file");
    r = read_head(file, fd, (uint64_t)st.st_size, err);
    if (r == 0)
        r = check_ring(file, fd, (uint64_t)st.st_size, ring_max, err);
    if (r < 0)
        return r;
    r = map_file(file, fd, PROT_READ);
    if (r < 0)
        return error_set(err, r, "cannot map it: %s", strerror(-r));
    if (atomic_load(file->state) >= VM_STATE_COUNT || vm_file_read_record(file, id, &record) < 0)
        return error_set(err, -EBADMSG, "it is damaged");
    *ret = TAKE_PTR(file);
    return 0;
}

enum vm_state vm_file_state(const struct vm_file *file)
{
    uint32_t state = atomic_load(file->state);

    return state < VM_STATE_COUNT ? (enum vm_state)state : VM_STARTING;
}

/* What both know of a section that may have grown, zeros for the rest. */
static void copy_section(const struct vm_file *file, enum vm_file_tag tag, void *ret, size_t size)
{
    const struct vm_file_section *section = &file->sections[tag];
    size_t known = section->size < size ? section->size : size;

    memset(ret, 0, size);
    if (known > 0)
        memcpy(ret, file->map + section->offset, known);
}

int vm_file_read_record(const struct vm_file *file, uint64_t id, struct vm_record *ret)
{
    struct vm_record record;

    copy_section(file, VM_FILE_RECORD, &record, sizeof(record));
    if (!record_is_sound(&record, id))
        return -EBADMSG;
    *ret = record;
    return 0;
}

void vm_file_read_stopped(const struct vm_file *file, struct register_dump *ret)
{
    copy_section(file, VM_FILE_STOPPED, ret, sizeof(*ret));
    if (!dump_is_sound(ret))
        *ret = (struct register_dump){ 0 };
}

void vm_file_read_ring_note(const struct vm_file *file, char text[static NOTE_TEXT_SIZE])
{
    const char *note = note_text(file->ring_note);

    text[0] = '\0';
    if (note)
        memcpy(text, note, NOTE_TEXT_SIZE);
    text[NOTE_TEXT_SIZE - 1] = '\0';
}

static bool write_exactly(int fd, const void *data, size_t size, uint64_t offset)
{
    return pwrite(fd, data, size, (off_t)offset) == (ssize_t)size;
}

int vm_file_write_end(int fd, const struct vm_record *record, enum vm_state state)
{
    struct vm_file file = { .fd = -1 };
    const struct vm_file_section *section = &file.sections[VM_FILE_RECORD];
    uint32_t number = (uint32_t)state;
    struct stat st;
    size_t size;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (read_head(&file, fd, (uint64_t)st.st_size, NULL) < 0)
        return -EBADMSG;
    size = section->size < sizeof(*record) ? section->size : sizeof(*record);
    if (!write_exactly(fd, record, size, section->offset) ||
        !write_exactly(fd, &number, sizeof(number),
                       file.sections[VM_FILE_LIVE].size > 0 ? file.sections[VM_FILE_LIVE].offset
                                                            : LAYOUT_2_STATE_OFFSET))
        return -EIO;
    return 0;
}

void vm_file_seal(struct vm_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

void vm_file_blank_rest(struct vm_file *file, uintptr_t address, uint64_t left)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t from = (address - (uintptr_t)file->map) / page * page,
             end = (left + page - 1) / page * page;

    if (end < from)
        from = end;
    if (from < file->map_size) /* if it fails, each page is replaced as it is touched */
        (void)mmap(file->map + from, file->map_size - from, PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

void vm_file_free(struct vm_file *file)
{
    if (!file)
        return;
    vm_file_seal(file);
    if (file->map)
        munmap(file->map, file->map_size);
    free(file);
}

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

static void format_name(uint64_t id, char name[static FILE_NAME_SIZE])
{
    snprintf(name, FILE_NAME_SIZE, "%" PRIu64 ".vm", id);
}

uint64_t vm_file_id(const char *name)
{
    char canonical[FILE_NAME_SIZE];
    uint64_t id = strtoull(name, NULL, 10);

    format_name(id, canonical);
    return strcmp(name, canonical) == 0 && id <= VM_FILE_ID_MAX ? id : 0;
}

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
    const struct vm_record *record = &file->header->record;
    int r = reserve(file, ring_size);

    if (r < 0)
        log_vm_line(LOG_LEVEL_WARNING, record->id, record->name,
                    "cannot reserve %" PRIu64 " bytes for its output: %s, keeping half of that",
                    ring_size, strerror(-r));
    return r;
}

/* Maps the file, up to the end of a ring of the given capacity. */
static int map_file(struct vm_file *file, uint64_t ring_capacity)
{
    size_t size = VM_FILE_RING_OFFSET + ring_capacity;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);

    if (map == MAP_FAILED)
        return -errno;
    file->map_size = size;
    file->header = (struct vm_file_header *)(void *)map;
    file->stats = (struct exit_stats *)(void *)(map + VM_FILE_STATS_OFFSET);
    file->ring = (struct output_ring){
        .state = &file->header->ring,
        .bytes = (unsigned char *)map + VM_FILE_RING_OFFSET,
        .reserve = reserve_more,
        .context = file,
    };
    return 0;
}

static int open_file(int directory_fd, uint64_t id, int flags, struct vm_file **ret)
{
    struct vm_file *file = calloc(1, sizeof(*file));
    char name[FILE_NAME_SIZE];

    if (!file)
        return -ENOMEM;
    format_name(id, name);
    file->fd = openat(directory_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (file->fd < 0) {
        free(file);
        return -errno;
    }
    *ret = file;
    return 0;
}

int vm_file_create(int directory_fd, const struct vm_record *record, uint64_t ring_capacity,
                   struct vm_file **ret, struct error *err)
{
    _cleanup_(vm_file_freep) struct vm_file *file = NULL;
    uint64_t size = output_ring_first_size(ring_capacity);
    int r;

    r = open_file(directory_fd, record->id, O_CREAT | O_EXCL, &file);
    if (r < 0)
        return error_set(err, -EIO, "cannot create the VM's state file: %s", strerror(-r));
    r = reserve(file, size);
    if (r == 0)
        r = map_file(file, ring_capacity);
    if (r < 0) {
        vm_file_remove(directory_fd, record->id);
        return error_set(err, -EIO, "cannot reserve %" PRIu64 " bytes for the VM's state file: %s",
                         size + VM_FILE_RING_OFFSET, strerror(-r));
    }

    file->header->layout = VM_FILE_LAYOUT;
    file->header->record = *record;
    atomic_store(&file->header->ring.capacity, ring_capacity);
    atomic_store(&file->header->ring.size, size);
    atomic_store(&file->header->state, (uint32_t)VM_STARTING);
    atomic_store(&file->header->magic, VM_FILE_MAGIC);
    *ret = TAKE_PTR(file);
    return 0;
}

static bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* Whether what the ring's counters say can be true of a file of file_size bytes. */
static bool ring_is_sound(const struct output_ring_state *ring, uint64_t file_size)
{
    uint64_t capacity = atomic_load(&ring->capacity), size = atomic_load(&ring->size);
    uint64_t claimed = atomic_load(&ring->claimed), end = atomic_load(&ring->end);

    return is_power_of_two(size) && size >= OUTPUT_RING_CAPACITY_MIN &&
           size <= file_size - VM_FILE_RING_OFFSET && is_power_of_two(capacity) &&
           capacity >= size && capacity <= UINT64_C(1) << 40 && end <= INT64_MAX &&
           claimed <= end + size && (claimed > size ? claimed >= end : end <= size);
}

static bool is_terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool record_is_sound(const struct vm_record *record, uint64_t id)
{
    const struct vm_machine_record *machine = &record->machine;
    bool sound = record->id == id && (unsigned)record->end.reason < GUEST_END_COUNT &&
                 record->end.registers.count <= REGISTER_DUMP_MAX && record->created_ns >= 0 &&
                 record->started_ns >= 0 && record->ended_ns >= 0 &&
                 is_terminated(record->name, sizeof(record->name)) &&
                 is_terminated(record->image, sizeof(record->image)) &&
                 is_terminated(machine->format, sizeof(machine->format)) &&
                 is_terminated(machine->mode, sizeof(machine->mode)) &&
                 is_terminated(machine->machine, sizeof(machine->machine)) &&
                 is_terminated(machine->note, sizeof(machine->note)) &&
                 record->end.registers.code_size <= REGISTER_DUMP_CODE_MAX &&
                 is_terminated(record->end.message, sizeof(record->end.message));

    for (uint64_t i = 0; sound && i < record->end.registers.count; i++)
        sound = is_terminated(record->end.registers.rows[i].name, REGISTER_NAME_SIZE);
    return sound;
}

/* Looks at the header before the rest is mapped. */
static int check_header(struct vm_file *file, uint64_t id, uint64_t *ret_capacity,
                        struct error *err)
{
    struct vm_file_header header;
    struct stat st;
    ssize_t n;

    if (fstat(file->fd, &st) < 0)
        return error_set(err, -errno, "%s", strerror(errno));
    n = pread(file->fd, &header, sizeof(header), 0);
    if (n < 0)
        return error_set(err, -errno, "%s", strerror(errno));
    if ((size_t)n < sizeof(header) || atomic_load(&header.magic) == 0)
        return error_set(err, -ENODATA, "it was never finished");
    if (atomic_load(&header.magic) != VM_FILE_MAGIC || header.layout != VM_FILE_LAYOUT)
        return error_set(err, -EBADMSG, "it is not of layout %d, which this vmmd reads",
                         VM_FILE_LAYOUT);
    if (st.st_size < VM_FILE_RING_OFFSET || !ring_is_sound(&header.ring, (uint64_t)st.st_size) ||
        atomic_load(&header.state) >= VM_STATE_COUNT ||
        !is_terminated(header.ring_note.text, sizeof(header.ring_note.text)) ||
        !record_is_sound(&header.record, id))
        return error_set(err, -EBADMSG, "it is damaged");
    *ret_capacity = atomic_load(&header.ring.capacity);
    return 0;
}

int vm_file_open(int directory_fd, uint64_t id, struct vm_file **ret, struct error *err)
{
    _cleanup_(vm_file_freep) struct vm_file *file = NULL;
    uint64_t capacity;
    int r;

    r = open_file(directory_fd, id, 0, &file);
    if (r < 0)
        return error_set(err, r, "%s", strerror(-r));
    r = check_header(file, id, &capacity, err);
    if (r < 0)
        return r;
    r = map_file(file, capacity);
    if (r < 0)
        return error_set(err, r, "cannot map it: %s", strerror(-r));
    vm_file_seal(file);
    *ret = TAKE_PTR(file);
    return 0;
}

void vm_file_seal(struct vm_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

void vm_file_free(struct vm_file *file)
{
    if (!file)
        return;
    vm_file_seal(file);
    if (file->header)
        munmap(file->header, file->map_size);
    free(file);
}

int vm_file_remove(int directory_fd, uint64_t id)
{
    char name[FILE_NAME_SIZE];

    format_name(id, name);
    return unlinkat(directory_fd, name, 0) < 0 ? -errno : 0;
}

#include "kvm/guest_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int map(uint64_t size, unsigned char **ret, struct error *err)
{
    void *host = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (host == MAP_FAILED)
        return error_set(err, -ENOMEM, "cannot map %" PRIu64 " bytes of guest memory: %s", size,
                         strerror(errno));
    /* a core dump of the daemon is about the daemon; a refusal only makes it larger */
    (void)madvise(host, size, MADV_DONTDUMP);
    *ret = host;
    return 0;
}

static void add_region(struct guest_memory *memory, const struct guest_region *region)
{
    memory->regions[memory->region_count++] = *region;
}

int guest_memory_init(struct guest_memory *memory, gpa_t base, uint64_t size, struct error *err)
{
    uint64_t low = base == 0 && size > GUEST_HOLE_START ? GUEST_HOLE_START : size;
    unsigned char *host = NULL; /* gcc cannot tell that map() sets it */
    int r;

    r = map(size, &host, err);
    if (r < 0)
        return r;
    *memory = (struct guest_memory){ .base = base, .size = size };
    add_region(memory, &(struct guest_region){ .host = host, .base = base, .size = low });
    if (low < size)
        add_region(memory, &(struct guest_region){
                               .host = host + low, .base = GUEST_HOLE_END, .size = size - low });
    return 0;
}

void guest_memory_deinit(struct guest_memory *memory)
{
    for (size_t i = 0; i < memory->region_count; i++)
        munmap(memory->regions[i].host, memory->regions[i].size);
    *memory = (struct guest_memory){ 0 };
}

/* Neither may wrap, nor be empty. */
static bool overlap(const struct guest_region *region, gpa_t base, uint64_t size)
{
    return base <= region->base + (region->size - 1) && region->base <= base + (size - 1);
}

/* what: "a ROM", for the sentence. */
static int add(struct guest_memory *memory, const char *what, gpa_t base, uint64_t size,
               bool readonly, struct error *err)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    unsigned char *host = NULL; /* gcc cannot tell that map() sets it */
    int r;

    if (size == 0 || size % page != 0 || base % page != 0 || base + (size - 1) < base)
        return error_set(err, -EINVAL,
                         "%s of %" PRIu64 " bytes at 0x%" PRIx64 " is not whole pages below 2^64",
                         what, size, base);
    for (size_t i = 0; i < memory->region_count; i++)
        if (overlap(&memory->regions[i], base, size))
            return error_set(err, -EINVAL,
                             "%s of %" PRIu64 " bytes at 0x%" PRIx64
                             " would overlap the memory at 0x%" PRIx64,
                             what, size, base, memory->regions[i].base);
    if (memory->region_count == GUEST_REGIONS_MAX)
        return error_set(err, -ENOSPC, "the guest's memory has all its %d regions",
                         GUEST_REGIONS_MAX);

    r = map(size, &host, err);
    if (r < 0)
        return r;
    add_region(memory, &(struct guest_region){
                           .host = host, .base = base, .size = size, .readonly = readonly });
    return 0;
}

int guest_memory_add_rom(struct guest_memory *memory, gpa_t base, uint64_t size, struct error *err)
{
    return add(memory, "a ROM", base, size, true, err);
}

int guest_memory_add_tables(struct guest_memory *memory, gpa_t base, uint64_t size,
                            struct error *err)
{
    return add(memory, "a region for tables", base, size, false, err);
}

/* Where the host has [address, address + size), or NULL. */
static unsigned char *find(const struct guest_memory *memory, gpa_t address, uint64_t size)
{
    for (size_t i = 0; i < memory->region_count; i++) {
        const struct guest_region *region = &memory->regions[i];
        uint64_t offset = address - region->base;

        if (address >= region->base && offset <= region->size && size <= region->size - offset)
            return region->host + offset;
    }
    return NULL;
}

bool guest_memory_holds(const struct guest_memory *memory, gpa_t address, uint64_t size)
{
    return find(memory, address, size) != NULL;
}

uint32_t *guest_memory_word(const struct guest_memory *memory, gpa_t address)
{
    unsigned char *at = find(memory, address, sizeof(uint32_t));

    return address % sizeof(uint32_t) == 0 ? (uint32_t *)(void *)at : NULL;
}

int guest_memory_read(const struct guest_memory *memory, gpa_t address, void *data, size_t size)
{
    const unsigned char *at = find(memory, address, size);

    if (!at)
        return -EFAULT;
    memcpy(data, at, size);
    return 0;
}

int guest_memory_write(struct guest_memory *memory, gpa_t address, const void *data, size_t size)
{
    unsigned char *at = find(memory, address, size);

    if (!at)
        return -EFAULT;
    memcpy(at, data, size);
    return 0;
}

int guest_memory_load(struct guest_memory *memory, gpa_t address, int fd, uint64_t offset,
                      uint64_t size)
{
    unsigned char *at = find(memory, address, size);

    if (!at)
        return -EFAULT;
    while (size > 0) {
        ssize_t n = pread(fd, at, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        at += n;
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return 0;
}

#include "kvm/guest_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int guest_memory_init(struct guest_memory *memory, gpa_t base, uint64_t size, struct error *err)
{
    void *host = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (host == MAP_FAILED)
        return error_set(err, -ENOMEM, "cannot map %" PRIu64 " bytes of guest memory: %s", size,
                         strerror(errno));
    /* a core dump of the daemon is about the daemon; a refusal only makes it larger */
    (void)madvise(host, size, MADV_DONTDUMP);
    *memory = (struct guest_memory){ .host = host, .base = base, .size = size };
    return 0;
}

void guest_memory_deinit(struct guest_memory *memory)
{
    if (memory->host)
        munmap(memory->host, memory->size);
    *memory = (struct guest_memory){ 0 };
}

bool guest_memory_holds(const struct guest_memory *memory, gpa_t address, uint64_t size)
{
    uint64_t offset = address - memory->base;

    return address >= memory->base && offset <= memory->size && size <= memory->size - offset;
}

int guest_memory_read(const struct guest_memory *memory, gpa_t address, void *data, size_t size)
{
    if (!guest_memory_holds(memory, address, size))
        return -EFAULT;
    memcpy(data, memory->host + (address - memory->base), size);
    return 0;
}

int guest_memory_write(struct guest_memory *memory, gpa_t address, const void *data, size_t size)
{
    if (!guest_memory_holds(memory, address, size))
        return -EFAULT;
    memcpy(memory->host + (address - memory->base), data, size);
    return 0;
}

int guest_memory_load(struct guest_memory *memory, gpa_t address, int fd, uint64_t offset,
                      uint64_t size)
{
    unsigned char *at;

    if (!guest_memory_holds(memory, address, size))
        return -EFAULT;
    at = memory->host + (address - memory->base);
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

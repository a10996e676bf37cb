#include "image/image_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static int refuse(const struct image_file *file, int code, struct error *err)
{
    return error_set(err, -ENOEXEC, "cannot read '%s': %s", file->name,
                     code == -ENODATA ? "it became shorter meanwhile" : strerror(-code));
}

bool image_file_holds(const struct image_file *file, uint64_t offset, uint64_t size)
{
    return offset <= file->size && size <= file->size - offset;
}

int image_file_read(const struct image_file *file, uint64_t offset, void *data, size_t size,
                    struct error *err)
{
    unsigned char *at = data;

    if (!image_file_holds(file, offset, size))
        return error_set(err, -ENOEXEC,
                         "'%s' is truncated: it has %" PRIu64
                         " bytes, not the %zu at offset %" PRIu64,
                         file->name, file->size, size, offset);
    while (size > 0) {
        ssize_t n = pread(file->fd, at, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return refuse(file, n < 0 ? -errno : -ENODATA, err);
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

int image_file_load(const struct image_file *file, uint64_t offset, struct guest_memory *memory,
                    gpa_t address, uint64_t size, struct error *err)
{
    int r;

    if (!image_file_holds(file, offset, size))
        return error_set(err, -ENOEXEC,
                         "'%s' is truncated: it has %" PRIu64 " bytes, not the %" PRIu64
                         " at offset %" PRIu64,
                         file->name, file->size, size, offset);
    r = guest_memory_load(memory, address, file->fd, offset, size);
    return r < 0 ? refuse(file, r, err) : 0;
}

#include "image/flat.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define REAL_MODE_ENTRY_MAX 0xffff /* IP has 16 bits, and CS is 0 */

int flat_load(struct guest_memory *memory, int fd, uint64_t size, gpa_t load, struct boot *ret_boot,
              struct error *err)
{
    int r;

    if (size == 0)
        return error_set(err, -ENOEXEC, "the image is empty; a guest needs at least one byte");
    if (load > REAL_MODE_ENTRY_MAX)
        return error_set(err, -ENOEXEC,
                         "load address 0x%" PRIx64
                         " cannot be entered in real mode; 0x0 to 0x%x can",
                         load, REAL_MODE_ENTRY_MAX);
    if (!guest_memory_holds(memory, load, size))
        return error_set(err, -ENOEXEC,
                         "the image's %" PRIu64 " bytes at 0x%" PRIx64
                         " do not fit the guest's memory of %" PRIu64 " bytes",
                         size, load, memory->size);

    r = guest_memory_load(memory, load, fd, 0, size);
    if (r < 0)
        return error_set(err, -ENOEXEC, "cannot read the image: %s",
                         r == -ENODATA ? "it became shorter meanwhile" : strerror(-r));
    *ret_boot = (struct boot){ .mode = BOOT_REAL, .entry = load, .stack = load };
    return 0;
}

/*
 * Failing memory: preloaded into vmmd (LD_PRELOAD, ld.so(8)), it has allocations of its loop thread
 * fail at random, as many as the test says while the daemon runs.
 *
 * The file that VMMD_TEST_MEMORY names holds a number, in the host's byte order: one of so many
 * allocations fails; 0: none does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, under the names by which whoever replaces them reaches them */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);

static const _Atomic uint32_t *one_of; /* set before there is another thread */

/* of the loop thread, which is the one that starts the process */
static __attribute__((tls_model("initial-exec"))) _Thread_local bool is_loop;
static uint32_t dice = 2463534242; /* Marsaglia, "Xorshift RNGs" (2003), section 3 */

__attribute__((constructor)) static void set_up(void)
{
    const char *path = getenv("VMMD_TEST_MEMORY");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = mmap(NULL, sizeof(*one_of), PROT_READ, MAP_SHARED, fd, 0);

    if (map != MAP_FAILED)
        one_of = map;
    if (fd >= 0)
        close(fd);
    is_loop = true;
}

static bool is_to_fail(void)
{
    uint32_t number = is_loop && one_of ? atomic_load(one_of) : 0;

    if (number == 0)
        return false;
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    if (dice % number != 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_to_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_to_fail() ? NULL : __libc_realloc(old, size);
}

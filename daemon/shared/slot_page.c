#include "shared/slot_page.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/sealed_memory.h"

int slot_page_new(struct slot_page **ret, int *ret_fd)
{
    _cleanup_close_ int fd = sealed_memory_new("vmmd-slots", sizeof(**ret));
    int r;

    if (fd < 0)
        return fd;
    *ret = NULL;
    r = slot_page_map(ret, fd);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* In one step for all threads, if it takes the place of what is at that address. By its number:
 * what mmap(3) does is a write by this thread to ThreadSanitizer, beside those of the threads of
 * guests. syscall(2) takes longs, and an int on the stack leaves half of one to chance. */
static void *map_at_once(void *address, size_t size, int fd)
{
    long protection = PROT_READ | PROT_WRITE;
    long flags = MAP_SHARED | (address ? MAP_FIXED : 0);

    return (void *)syscall(SYS_mmap, address, size, protection, flags, (long)fd, 0L);
}

int slot_page_map(struct slot_page **page, int fd)
{
    void *map;
    int r = sealed_memory_check(fd, sizeof(**page));

    if (r < 0)
        return r;
    map = map_at_once(*page, sizeof(**page), fd);
    if (map == MAP_FAILED)
        return -errno;
    if (!*page) /* or it is where it was, and others read it */
        *page = map;
    return 0;
}

void slot_page_free(struct slot_page *page)
{
    if (page)
        munmap(page, sizeof(*page));
}

/* Whether it is the first. */
static bool set_bit(_Atomic uint64_t *bits, unsigned slot)
{
    return atomic_fetch_or(bits, UINT64_C(1) << slot) == 0;
}

void slot_page_tell(struct slot_page *page, unsigned slot, uint32_t news, int bell_fd)
{
    const uint64_t one = 1;

    /* told already, and not yet looked at: then the bits are enough */
    if (atomic_fetch_or(&page->slots[slot].news, news) != 0 || !set_bit(&page->news, slot))
        return;
    /* A full counter would fail the write, and is a bell that has rung all the same: eventfd(2). */
    if (write(bell_fd, &one, sizeof(one)) < 0)
        return;
}

void slot_page_add_news(struct slot_page *page, unsigned slot, uint32_t news)
{
    atomic_fetch_or(&page->slots[slot].news, news);
    set_bit(&page->news, slot);
}

void slot_page_tell_input(struct slot_page *page, unsigned slot, int call_fd)
{
    const uint64_t one = 1;

    if (atomic_exchange(&page->slots[slot].input, 1) != 0 || !set_bit(&page->input, slot))
        return;
    /* likewise, of a socket without room */
    if (send(call_fd, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
}

uint64_t slot_page_take_news(struct slot_page *page)
{
    return atomic_exchange(&page->news, 0);
}

uint64_t slot_page_take_input(struct slot_page *page)
{
    return atomic_exchange(&page->input, 0);
}

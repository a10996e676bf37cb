#include "fuzz_image.h"
#include "kvm/arch.h"
#include "kvm/x86/boot_registers.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 4, PAGE = 4096, RAM_PAGES_MAX = FUZZ_MEMORY_LARGE / PAGE };

struct image_file fuzz_image_file(unsigned slot, const void *data, size_t size)
{
    static int fds[SLOTS];

    REQUIRE(slot < SLOTS);
    if (fds[slot] == 0)
        fds[slot] = memfd_create("fuzz", MFD_CLOEXEC);
    REQUIRE(fds[slot] > 0);
    REQUIRE(ftruncate(fds[slot], (off_t)size) == 0);
    REQUIRE(pwrite(fds[slot], data, size, 0) == (ssize_t)size);
    return (struct image_file){ .fd = fds[slot], .size = size, .name = "x" };
}

void fuzz_image_recognise(const struct image_request *request)
{
    struct image_request any = *request;
    struct image_kind kind = { 0 };
    struct error err;

    any.format = IMAGE_AUTO;
    if (image_recognise(&any, &kind, &err) < 0) {
        REQUIRE(strstr(err.text, "is a Linux kernel for "));
        return;
    }
    REQUIRE(kind.format > IMAGE_AUTO && kind.format < IMAGE_FORMAT_COUNT);
    REQUIRE(kind.note[0] != '\0' && memchr(kind.note, '\0', sizeof(kind.note)));
}

static void require_sane(const struct fuzz_image *fuzz)
{
    const struct boot *boot = &fuzz->boot;

    switch (boot->mode) {
    case BOOT_REAL:
        REQUIRE(boot->entry <= 0xffff);
        break;
    case BOOT_PROTECTED:
    case BOOT_LONG:
        REQUIRE(boot->entry <= UINT32_MAX && boot->stack <= UINT32_MAX);
        REQUIRE(boot->arguments[BOOT_RBX] <= UINT32_MAX && boot->arguments[BOOT_RSI] <= UINT32_MAX);
        break;
    case BOOT_RESET:
        REQUIRE(guest_memory_holds(&fuzz->memory, 0xfffffff0, 16));
        REQUIRE(guest_memory_holds(&fuzz->memory, 0xffff0, 16));
        return;
    case BOOT_SUPERVISOR:
        REQUIRE(guest_memory_holds(&fuzz->memory, boot->entry, 1));
        /* Linux brings its own */
        REQUIRE(boot->stack == 0 || guest_memory_holds(&fuzz->memory, boot->stack, 0));
        return;
    }
    REQUIRE(guest_memory_holds(&fuzz->memory, boot->entry, 1));
    REQUIRE(guest_memory_holds(&fuzz->memory, boot->stack, 0));
}

/* Zeros of that size. Kept from one input to the next: making and zeroing it would be most of the
 * work. */
static unsigned char *take_ram(uint64_t size)
{
    static unsigned char *kept[RAM_PAGES_MAX + 1];
    unsigned char **ram = &kept[size / PAGE];

    REQUIRE(size % PAGE == 0 && size / PAGE <= RAM_PAGES_MAX);
    if (!*ram)
        *ram = aligned_alloc(PAGE, size);
    REQUIRE(*ram);
    REQUIRE(madvise(*ram, size, MADV_DONTNEED) == 0);
    return *ram;
}

void fuzz_image_load(struct fuzz_image *fuzz, const struct image_request *request,
                     enum image_format format, uint64_t memory_size)
{
    const struct boot untouched = { .entry = 0x5555 };
    struct error err = { 0 };
    int r;

    *fuzz = (struct fuzz_image){
        .request = *request,
        .memory = { .base = arch_memory_base, .size = memory_size, .region_count = 1 },
        .boot = untouched,
    };
    fuzz->memory.regions[0] = (struct guest_region){
        .base = arch_memory_base,
        .host = take_ram(memory_size),
        .size = memory_size,
    };

    r = image_load(request, format, &fuzz->memory, &fuzz->boot, &err);
    fuzz->loaded = r == 0;
    if (r == 0) {
        require_sane(fuzz);
        return;
    }
    REQUIRE(r == -ENOEXEC || r == -EINVAL);
    REQUIRE(err.code == r && err.text[0] != '\0' && memchr(err.text, '\0', sizeof(err.text)));
    REQUIRE(fuzz->boot.entry == untouched.entry && fuzz->boot.mode == untouched.mode);
}

void fuzz_image_unload(struct fuzz_image *fuzz)
{
    for (size_t i = 1; i < fuzz->memory.region_count; i++) /* ROMs; RAM is kept */
        munmap(fuzz->memory.regions[i].host, fuzz->memory.regions[i].size);
}

void fuzz_image_read(const struct fuzz_image *fuzz, gpa_t address, void *data, size_t size)
{
    REQUIRE(guest_memory_read(&fuzz->memory, address, data, size) == 0);
}

uint32_t fuzz_image_u32(const struct fuzz_image *fuzz, gpa_t address)
{
    uint32_t value;

    fuzz_image_read(fuzz, address, &value, sizeof(value));
    return value;
}

void fuzz_image_require_text(const struct fuzz_image *fuzz, gpa_t address, const char *text)
{
    char bytes[64];
    size_t size = strlen(text) + 1;

    REQUIRE(size <= sizeof(bytes));
    fuzz_image_read(fuzz, address, bytes, size);
    REQUIRE(memcmp(bytes, text, size) == 0);
}

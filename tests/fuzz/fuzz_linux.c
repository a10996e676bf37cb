/*
 * Fuzz target: Linux kernels. They come with an initrd and a command line, and the zero page is
 * read back as a kernel would.
 */
#include "fuzz_image.h"
#include "kvm/x86/boot_registers.h"

#include <string.h>

static unsigned char initrd_bytes[5000];

/* Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header", and zero-page.rst. */
static void require_page(const struct fuzz_image *fuzz)
{
    gpa_t page = fuzz->boot.arguments[BOOT_RSI];
    uint32_t initrd = fuzz_image_u32(fuzz, page + 0x218);
    unsigned char bytes[sizeof(initrd_bytes)];
    gpa_t entry = fuzz->boot.entry;

    REQUIRE(page % 4096 == 0 && fuzz_image_u32(fuzz, page + 0x202) == 0x53726448);
    REQUIRE(fuzz_image_u32(fuzz, page + 0x21c) == sizeof(bytes));
    REQUIRE(initrd % 4096 == 0);
    REQUIRE(initrd + sizeof(bytes) - 1 <= fuzz_image_u32(fuzz, page + 0x22c));
    fuzz_image_read(fuzz, initrd, bytes, sizeof(bytes));
    REQUIRE(memcmp(bytes, initrd_bytes, sizeof(bytes)) == 0);
    fuzz_image_require_text(fuzz, fuzz_image_u32(fuzz, page + 0x228), "console=ttyS0");
    REQUIRE(fuzz_image_u32(fuzz, page + 0x214) + (fuzz->boot.mode == BOOT_LONG ? 0x200 : 0) ==
            entry);
    REQUIRE(entry < initrd || entry >= initrd + sizeof(bytes));
    REQUIRE(entry < page || entry >= page + 4096);
    REQUIRE((fuzz_image_u32(fuzz, page + 0x1e8) & 0xff) >= 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t memory_sizes[] = { FUZZ_MEMORY_SMALL, FUZZ_MEMORY_LARGE };
    struct image_request request = {
        .image = fuzz_image_file(0, data, size),
        .append = "console=ttyS0",
        .has_initrd = true,
    };

    memset(initrd_bytes, 'i', sizeof(initrd_bytes));
    request.initrd = fuzz_image_file(1, initrd_bytes, sizeof(initrd_bytes));
    fuzz_image_recognise(&request);
    for (size_t i = 0; i < sizeof(memory_sizes) / sizeof(memory_sizes[0]); i++) {
        struct fuzz_image fuzz;

        fuzz_image_load(&fuzz, &request, IMAGE_LINUX, memory_sizes[i]);
        if (fuzz.loaded)
            require_page(&fuzz);
        fuzz_image_unload(&fuzz);
    }
    return 0;
}

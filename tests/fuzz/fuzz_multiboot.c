/*
 * Fuzz target: Multiboot kernels. They come with two modules and a command line, and what EBX
 * points to is read back as a kernel would.
 */
#include "fuzz_image.h"
#include "kvm/x86/boot_registers.h"

#include <string.h>

enum { MODULES = 2, INFO_SIZE_LEAST = 200 }; /* with all that it points to */

static unsigned char module_bytes[MODULES][5000];
static const size_t module_sizes[MODULES] = { 1, sizeof(module_bytes[1]) };

/* Multiboot Specification, section 3.3. */
static void require_modules(const struct fuzz_image *fuzz, gpa_t at)
{
    uint32_t info = (uint32_t)fuzz->boot.arguments[BOOT_RBX];

    for (unsigned i = 0; i < MODULES; i++, at += 16) {
        uint32_t start = fuzz_image_u32(fuzz, at), end = fuzz_image_u32(fuzz, at + 4);
        unsigned char bytes[sizeof(module_bytes[0])];

        REQUIRE(start % 4096 == 0 && end - start == module_sizes[i]);
        REQUIRE(info >= end || info + INFO_SIZE_LEAST <= start);
        fuzz_image_read(fuzz, start, bytes, module_sizes[i]);
        REQUIRE(memcmp(bytes, module_bytes[i], module_sizes[i]) == 0);
        REQUIRE(fuzz->boot.entry < start || fuzz->boot.entry >= end);
        fuzz_image_require_text(fuzz, fuzz_image_u32(fuzz, at + 8), i == 0 ? "arguments" : "x");
    }
}

static void require_map(const struct fuzz_image *fuzz, gpa_t at, uint32_t length)
{
    uint64_t end = 0;

    REQUIRE(length > 0 && length % 24 == 0);
    for (gpa_t last = at + length; at < last; at += 24) {
        uint64_t row[2];

        REQUIRE(fuzz_image_u32(fuzz, at) == 20);
        fuzz_image_read(fuzz, at + 4, row, sizeof(row));
        REQUIRE(row[0] >= end && row[1] > 0);
        end = row[0] + row[1];
    }
}

static void load(const struct image_request *request, uint64_t memory_size)
{
    struct fuzz_image fuzz;
    gpa_t info;

    fuzz_image_load(&fuzz, request, IMAGE_MULTIBOOT, memory_size);
    info = fuzz.boot.arguments[BOOT_RBX];
    if (fuzz.loaded) {
        REQUIRE(fuzz.boot.mode == BOOT_PROTECTED && fuzz.boot.arguments[BOOT_RAX] == 0x2badb002);
        REQUIRE(guest_memory_holds(&fuzz.memory, fuzz.boot.stack - 4096, 4096));
        fuzz_image_require_text(&fuzz, fuzz_image_u32(&fuzz, info + 16), "console=com1");
        REQUIRE(fuzz_image_u32(&fuzz, info + 20) == MODULES);
        require_modules(&fuzz, fuzz_image_u32(&fuzz, info + 24));
        require_map(&fuzz, fuzz_image_u32(&fuzz, info + 48), fuzz_image_u32(&fuzz, info + 44));
    }
    fuzz_image_unload(&fuzz);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_module modules[MODULES];
    const struct image_request request = {
        .image = fuzz_image_file(0, data, size),
        .append = "console=com1",
        .modules = modules,
        .module_count = MODULES,
    };

    for (unsigned i = 0; i < MODULES; i++) {
        memset(module_bytes[i], 'm', module_sizes[i]);
        modules[i] = (struct image_module){
            .file = fuzz_image_file(1 + i, module_bytes[i], module_sizes[i]),
            .arguments = i == 0 ? "arguments" : "",
        };
    }
    fuzz_image_recognise(&request);
    load(&request, FUZZ_MEMORY_SMALL);
    load(&request, FUZZ_MEMORY_LARGE);
    return 0;
}

/*
 * Fuzz target: ELF executables.
 */
#include "fuzz_image.h"

static void load(const struct image_request *request, uint64_t memory_size)
{
    struct fuzz_image fuzz;

    fuzz_image_load(&fuzz, request, IMAGE_ELF, memory_size);
    if (fuzz.loaded) {
        REQUIRE(fuzz.boot.mode == BOOT_PROTECTED || fuzz.boot.mode == BOOT_LONG);
        REQUIRE(guest_memory_holds(&fuzz.memory, fuzz.boot.stack - 4096, 4096));
    }
    fuzz_image_unload(&fuzz);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct image_request request = {
        .image = fuzz_image_file(0, data, size),
        .append = "",
    };

    fuzz_image_recognise(&request);
    load(&request, FUZZ_MEMORY_SMALL);
    load(&request, FUZZ_MEMORY_LARGE);
    return 0;
}

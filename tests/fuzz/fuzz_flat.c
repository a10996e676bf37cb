/*
 * Fuzz target: flat images, and where a request may want them.
 *
 * Input: the image; then, if there are that many bytes, what a client may say: 8 bytes of load, 8
 * of entry, one that says which of these are given (bits 0 and 1; bit 2: mode), one for the mode.
 */
#include "fuzz_image.h"

#include <string.h>

enum { PARAMETERS_SIZE = 18 };

static void take_parameters(const uint8_t *data, struct image_request *request)
{
    memcpy(&request->load, data, 8);
    memcpy(&request->entry, data + 8, 8);
    request->load_given = data[16] & 1;
    request->entry_given = data[16] & 2;
    request->mode_given = data[16] & 4;
    request->mode = (enum boot_mode)(data[17] & 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_request request = { .append = "" };
    struct fuzz_image fuzz;

    if (size >= PARAMETERS_SIZE) {
        size -= PARAMETERS_SIZE;
        take_parameters(data + size, &request);
    }
    request.image = fuzz_image_file(0, data, size);
    fuzz_image_recognise(&request);

    fuzz_image_load(&fuzz, &request, IMAGE_FLAT, FUZZ_MEMORY_SMALL);
    if (fuzz.loaded) {
        REQUIRE(fuzz.boot.entry >= fuzz.boot.stack && fuzz.boot.entry < fuzz.boot.stack + size);
        REQUIRE(memcmp(fuzz.memory.regions[0].host + fuzz.boot.stack, data, size) == 0);
    }
    fuzz_image_unload(&fuzz);
    return 0;
}

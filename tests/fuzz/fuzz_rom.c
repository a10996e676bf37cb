/*
 * Fuzz target: ROMs. The input is the end of the ROM: its first two bytes say how many there are
 * before it.
 */
#include "fuzz_image.h"

#include <string.h>

enum { ROM_MAX = 512 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t memory_sizes[] = { FUZZ_MEMORY_SMALL, 1024 * 1024, FUZZ_MEMORY_LARGE };
    static unsigned char rom[ROM_MAX];
    struct image_request request = { .append = "" };
    size_t before, rom_size;

    if (size < 2)
        return 0;
    before = (size_t)(data[0] | data[1] << 8) * 8;
    rom_size = before + size;
    if (rom_size > ROM_MAX)
        return 0;
    memset(rom, 0, before);
    memcpy(rom + before, data, size);
    request.image = fuzz_image_file(0, rom, rom_size);
    fuzz_image_recognise(&request);

    for (size_t i = 0; i < sizeof(memory_sizes) / sizeof(memory_sizes[0]); i++) {
        struct fuzz_image fuzz;

        fuzz_image_load(&fuzz, &request, IMAGE_ROM, memory_sizes[i]);
        if (fuzz.loaded) {
            REQUIRE(fuzz.memory.region_count == 2 && fuzz.memory.regions[1].readonly);
            REQUIRE(fuzz.memory.regions[1].size == rom_size);
            REQUIRE(memcmp(fuzz.memory.regions[1].host, rom, rom_size) == 0);
            REQUIRE(memcmp(fuzz.memory.regions[0].host + 1024 * 1024 - rom_size, rom, rom_size) ==
                    0);
        }
        fuzz_image_unload(&fuzz);
    }
    return 0;
}

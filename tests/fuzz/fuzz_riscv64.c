/*
 * Fuzz target: images for riscv64, each as every format that there is; Linux kernels with an
 * initrd.
 */
#include "fuzz_image.h"
#include "kvm/arch.h"
#include "kvm/riscv64/boot_registers.h"

#include <string.h>

static unsigned char initrd_bytes[5000];

/* Documentation/arch/riscv/boot.rst: nothing lies over anything else. */
static void require_initrd(const struct fuzz_image *fuzz)
{
    const struct boot *boot = &fuzz->boot;
    gpa_t tree = arch_memory_base + fuzz->memory.size - BOOT_TREE_ROOM;
    unsigned char bytes[sizeof(initrd_bytes)];

    REQUIRE(boot->initrd % 4096 == 0 && boot->initrd_size == sizeof(bytes));
    REQUIRE(boot->initrd + sizeof(bytes) <= tree);
    REQUIRE(boot->entry < boot->initrd || boot->entry >= boot->initrd + sizeof(bytes));
    fuzz_image_read(fuzz, boot->initrd, bytes, sizeof(bytes));
    REQUIRE(memcmp(bytes, initrd_bytes, sizeof(bytes)) == 0);
}

static void load(const struct image_request *request, enum image_format format, uint64_t memory)
{
    struct fuzz_image fuzz;

    fuzz_image_load(&fuzz, request, format, memory);
    if (fuzz.loaded) {
        REQUIRE(fuzz.boot.image_end > fuzz.boot.entry);
        REQUIRE(guest_memory_holds(&fuzz.memory, fuzz.boot.image_end - 1, 1));
        if (request->has_initrd)
            require_initrd(&fuzz);
    }
    fuzz_image_unload(&fuzz);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t memory_sizes[] = { FUZZ_MEMORY_SMALL, FUZZ_MEMORY_LARGE };
    struct image_request request = { .image = fuzz_image_file(0, data, size), .append = "" };
    struct image_request linux_request = request;

    memset(initrd_bytes, 'i', sizeof(initrd_bytes));
    linux_request.append = "console=ttyS0";
    linux_request.has_initrd = true;
    linux_request.initrd = fuzz_image_file(1, initrd_bytes, sizeof(initrd_bytes));
    fuzz_image_recognise(&request);
    for (size_t i = 0; i < sizeof(memory_sizes) / sizeof(memory_sizes[0]); i++) {
        load(&request, IMAGE_FLAT, memory_sizes[i]);
        load(&request, IMAGE_ELF, memory_sizes[i]);
        load(&linux_request, IMAGE_LINUX, memory_sizes[i]);
    }
    return 0;
}

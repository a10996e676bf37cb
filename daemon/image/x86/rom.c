#include "image/x86/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image/image_file.h"

#define ROM_END_LOW  UINT64_C(0x100000)
#define ROM_END_HIGH UINT64_C(0x100000000)

enum {
    ROM_SIZE_MAX = 256 * 1024, /* below it, KVM has pages of its own: kvm/x86/arch.c */
    PAGE = 4096,               /* KVM's regions are whole pages */
    RESET_VECTOR_SIZE = 16,    /* what is left from F000:FFF0 to the end */
};

/* A BIOS begins with a jump to where it really begins: far, or near and 16-bit. */
static bool is_jump(const unsigned char *vector)
{
    return vector[0] == 0xea || vector[0] == 0xe9;
}

/* The sizes that BIOS chips have, and a jump at the reset vector. */
static bool recognise_rom(const struct image_probe *probe)
{
    const uint64_t size = probe->file->size;
    unsigned char vector[RESET_VECTOR_SIZE];

    if (size != ROM_SIZE_MAX && size != ROM_SIZE_MAX / 2 && size != ROM_SIZE_MAX / 4)
        return false;
    return image_file_read(probe->file, size - sizeof(vector), vector, sizeof(vector), NULL) == 0 &&
           is_jump(vector);
}

static int check_size(const struct image_file *image, const struct guest_memory *memory,
                      struct error *err)
{
    if (image->size == 0 || image->size > ROM_SIZE_MAX || image->size % PAGE != 0)
        return error_set(err, -ENOEXEC,
                         "'%s' has %" PRIu64 " bytes; a ROM has a multiple of %d, and at most %d",
                         image->name, image->size, PAGE, ROM_SIZE_MAX);
    if (!guest_memory_holds(memory, ROM_END_LOW - image->size, image->size))
        return error_set(err, -ENOEXEC,
                         "'%s': a ROM ends at 1 MiB, and the guest's memory of %" PRIu64
                         " bytes does not reach that far; it needs %" PRIu64 " or more",
                         image->name, memory->size, ROM_END_LOW);
    return 0;
}

/* Erased or never written, the CPU would run into nothing. */
static int check_reset_vector(const struct image_file *image, struct error *err)
{
    static const unsigned char zeros[RESET_VECTOR_SIZE];
    unsigned char vector[RESET_VECTOR_SIZE], ones[RESET_VECTOR_SIZE];
    int r;

    r = image_file_read(image, image->size - sizeof(vector), vector, sizeof(vector), err);
    if (r < 0)
        return r;
    memset(ones, 0xff, sizeof(ones));
    if (memcmp(vector, zeros, sizeof(vector)) == 0 || memcmp(vector, ones, sizeof(vector)) == 0)
        return error_set(err, -ENOEXEC,
                         "'%s' has nothing at its reset vector: its last %d bytes are all 0x%02x",
                         image->name, RESET_VECTOR_SIZE, vector[0]);
    return 0;
}

static int load_rom(const struct image_request *request, struct guest_memory *memory,
                    struct boot *ret, struct error *err)
{
    const struct image_file *image = &request->image;
    int r;

    r = check_size(image, memory, err);
    if (r == 0)
        r = check_reset_vector(image, err);
    if (r < 0)
        return r;

    if (guest_memory_add_rom(memory, ROM_END_HIGH - image->size, image->size, err) < 0)
        return error_set(err, -ENOEXEC, "'%s': there is no place for it below 4 GiB", image->name);
    r = image_file_load(image, 0, memory, ROM_END_LOW - image->size, image->size, err);
    if (r == 0)
        r = image_file_load(image, 0, memory, ROM_END_HIGH - image->size, image->size, err);
    if (r == 0)
        *ret = (struct boot){ .mode = BOOT_RESET };
    return r;
}

const struct image_loader rom_loader = {
    .kernel = true,
    .recognise = recognise_rom,
    .load = load_rom,
};

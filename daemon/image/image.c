#include "image/image.h"

#include <errno.h>

#include "guests/hypercall.h"
#include "image/flat.h"

const char *image_format_to_string(enum image_format format)
{
    static const char *const words[IMAGE_FORMAT_COUNT] = {
        [IMAGE_AUTO] = "auto",           [IMAGE_FLAT] = "flat", [IMAGE_ROM] = "rom",
        [IMAGE_MULTIBOOT] = "multiboot", [IMAGE_ELF] = "elf",   [IMAGE_LINUX] = "linux",
    };

    return words[format];
}

int image_recognise(const struct image_request *request, struct image_kind *ret, struct error *err)
{
    (void)request, (void)err;
    *ret = (struct image_kind){ .format = IMAGE_FLAT };
    return 0;
}

int image_load(const struct image_request *request, enum image_format format,
               struct guest_memory *memory, struct boot *ret, struct error *err)
{
    gpa_t load = request->load_given ? request->load : GUEST_LOAD_ADDRESS;
    int r;

    if (format != IMAGE_FLAT)
        return error_set_about(err, "format", -EINVAL, "format '%s' cannot be loaded yet",
                               image_format_to_string(format));
    r = flat_load(memory, request->image.fd, request->image.size, load, ret, err);
    if (r == 0 && request->mode_given)
        ret->mode = request->mode;
    return r;
}

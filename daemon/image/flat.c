#include "image/flat.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image/arch.h"
#include "util/word_list.h"

static const struct image_mode *find_mode(const struct image_request *request)
{
    if (!request->mode_given)
        return &arch_image_modes[0];
    for (size_t i = 0; i < arch_image_mode_count; i++)
        if (arch_image_modes[i].mode == request->mode)
            return &arch_image_modes[i];
    return NULL;
}

static int refuse_mode(enum boot_mode mode, struct error *err)
{
    char text[96] = "";
    struct word_list names = WORD_LIST(text);

    for (size_t i = 0; i < arch_image_mode_count; i++)
        word_list_add(&names, "%s", boot_mode_to_string(arch_image_modes[i].mode));
    return error_set_about(err, "mode", -EINVAL,
                           "a flat image cannot be entered in mode '%s' here; accepted: %s",
                           boot_mode_to_string(mode), text);
}

static int check_fit(const struct image_file *image, gpa_t load, const struct guest_memory *memory,
                     struct error *err)
{
    if (image->size == 0)
        return error_set(err, -ENOEXEC, "the image is empty; a guest needs at least one byte");
    if (!guest_memory_holds(memory, load, image->size))
        return error_set(err, -ENOEXEC,
                         "the image's %" PRIu64 " bytes at 0x%" PRIx64
                         " do not fit the guest's memory of %" PRIu64 " bytes at 0x%" PRIx64,
                         image->size, load, memory->size, memory->base);
    return 0;
}

/* The image fits, so nothing wraps. */
static int check_entry(const struct image_file *image, gpa_t load, gpa_t entry,
                       const struct image_mode *mode, const char *what, struct error *err)
{
    if (entry >= mode->reach)
        return error_set(err, -ENOEXEC,
                         "%s 0x%" PRIx64 " cannot be entered in %s mode; 0x0 to 0x%" PRIx64 " can",
                         what, entry, boot_mode_to_string(mode->mode), mode->reach - 1);
    if (entry < load || entry >= load + image->size)
        return error_set(err, -ENOEXEC,
                         "%s 0x%" PRIx64 " lies outside of the image, which is at 0x%" PRIx64
                         " to 0x%" PRIx64,
                         what, entry, load, load + image->size - 1);
    return 0;
}

static int load_flat(const struct image_request *request, struct guest_memory *memory,
                     struct boot *ret, struct error *err)
{
    const struct image_file *image = &request->image;
    const struct image_mode *mode = find_mode(request);
    gpa_t load = request->load_given ? request->load : arch_flat_load;
    gpa_t entry = request->entry_given ? request->entry : load;
    const char *what = request->entry_given ? "entry" : "load address";
    int r;

    if (!mode)
        return refuse_mode(request->mode, err);
    r = check_fit(image, load, memory, err);
    if (r == 0)
        r = check_entry(image, load, entry, mode, what, err);
    if (r < 0)
        return r;

    r = guest_memory_load(memory, load, image->fd, 0, image->size);
    if (r < 0)
        return error_set(err, -ENOEXEC, "cannot read the image: %s",
                         r == -ENODATA ? "it became shorter meanwhile" : strerror(-r));
    *ret = (struct boot){
        .mode = mode->mode,
        .entry = entry,
        .stack = arch_flat_stack(memory, load, load + image->size),
        .image_end = load + image->size,
    };
    return 0;
}

const struct image_loader flat_loader = {
    .takes = IMAGE_TAKES_MODE | IMAGE_TAKES_LOAD | IMAGE_TAKES_ENTRY,
    .load = load_flat,
};

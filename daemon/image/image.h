/*
 * Image: what a guest is started from. Recognises its format, checks everything the file says
 * against the guest's memory, copies it there, and says how the vCPU is to enter it.
 *
 * The files are hostile: nothing they say is believed before it was checked, in 64-bit arithmetic,
 * and no byte outside of the guest's memory is touched whatever they say.
 *
 * All functions: the VM's thread.
 */
#pragma once

#include <stdbool.h>

#include "image/image_request.h"
#include "kvm/boot.h"
#include "kvm/guest_memory.h"
#include "util/error.h"

struct image_kind {
    enum image_format format; /* never IMAGE_AUTO */
    bool kernel;              /* its guests expect more around them than a bare board */
    char note[160];           /* what was chosen and why; "" if the request said the format */
};

/* What the image is. Nothing that matches is a flat image, not an error. Errors: -ENOEXEC (the file
 * cannot be read, or is a kernel for another architecture). */
int image_recognise(const struct image_request *request, struct image_kind *ret, struct error *err);

/*
 * Loads the image as that format (not IMAGE_AUTO) and says how to boot it. Memory has its RAM, and
 * holds nothing yet. Errors: -ENOEXEC (the sentence names file, field and value), -EINVAL (the
 * format has no use for a parameter; err->about is the parameter's name).
 */
int image_load(const struct image_request *request, enum image_format format,
               struct guest_memory *memory, struct boot *ret, struct error *err);

/*
 * What the fuzz targets of the image formats have in common: the input is the image, or the image
 * and what a target takes from its end.
 *
 * RAM comes from aligned_alloc(), not from guest_memory_init(), so that AddressSanitizer sees a
 * byte that is touched beside it.
 */
#pragma once

#include "fuzz.h"
#include "image/image.h"

enum {
    FUZZ_MEMORY_SMALL = 64 * 1024,      /* the smallest there may be */
    FUZZ_MEMORY_LARGE = 2 * 1024 * 1024 /* enough to have something at 1 MiB */
};

struct fuzz_image {
    struct image_request request;
    struct guest_memory memory;
    struct boot boot;
    bool loaded;
};

/* A file that has these bytes. There are as many as there are slots, and they are used again. */
struct image_file fuzz_image_file(unsigned slot, const void *data, size_t size);

/* Requires that image_recognise() finds something, whatever the image is, or that it is a kernel
 * for another architecture. */
void fuzz_image_recognise(const struct image_request *request);

/* Loads the image of the request into memory of that size. Requires that a failure has a sentence
 * and leaves boot alone, and that a success can be entered: entry and stack are in memory. */
void fuzz_image_load(struct fuzz_image *fuzz, const struct image_request *request,
                     enum image_format format, uint64_t memory_size);
void fuzz_image_unload(struct fuzz_image *fuzz);

/* Reads what must be in memory. */
void fuzz_image_read(const struct fuzz_image *fuzz, gpa_t address, void *data, size_t size);
uint32_t fuzz_image_u32(const struct fuzz_image *fuzz, gpa_t address);

/* Requires that there is that text, and its end, in memory. */
void fuzz_image_require_text(const struct fuzz_image *fuzz, gpa_t address, const char *text);

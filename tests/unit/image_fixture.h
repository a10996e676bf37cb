/*
 * Image fixture: a request for an image of given bytes, and guest memory to load it into.
 */
#pragma once

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "image/image.h"
#include "memfd.h"

enum { FIXTURE_MEMORY = 4 * 1024 * 1024 };

struct image_fixture {
    struct image_request request;
    struct guest_memory memory;
    struct boot boot; /* entry 0x5555: nothing was loaded */
    struct error err;
};

/* The image is data[0..size), called 'x', and there is memory of that size for it. */
static inline void image_fixture_init(struct image_fixture *fixture, const void *data, size_t size,
                                      uint64_t memory)
{
    *fixture = (struct image_fixture){
        .request = {
            .image = { .fd = memfd_of(data, size), .size = size, .name = "x" },
            .append = "",
        },
        .boot = { .entry = 0x5555 },
    };
    assert_int_equal(guest_memory_init(&fixture->memory, 0, memory, &fixture->err), 0);
}

static inline void image_fixture_deinit(struct image_fixture *fixture)
{
    guest_memory_deinit(&fixture->memory);
    close(fixture->request.image.fd);
}

static inline int image_fixture_load(struct image_fixture *fixture, enum image_format format)
{
    return image_load(&fixture->request, format, &fixture->memory, &fixture->boot, &fixture->err);
}

static inline void image_fixture_accept(struct image_fixture *fixture, enum image_format format)
{
    if (image_fixture_load(fixture, format) != 0)
        fail_msg("refused: %s", fixture->err.text);
}

/* The image itself is at fault, with that sentence. */
static inline void image_fixture_refuse(struct image_fixture *fixture, enum image_format format,
                                        const char *expected)
{
    assert_int_equal(image_fixture_load(fixture, format), -ENOEXEC);
    assert_string_equal(fixture->err.text, expected);
    assert_null(fixture->err.about);
    assert_int_equal(fixture->boot.entry, 0x5555);
}

/* A parameter is, by name. */
static inline void image_fixture_refuse_parameter(struct image_fixture *fixture,
                                                  enum image_format format, const char *about,
                                                  const char *expected)
{
    assert_int_equal(image_fixture_load(fixture, format), -EINVAL);
    assert_string_equal(fixture->err.text, expected);
    assert_string_equal(fixture->err.about, about);
    assert_int_equal(fixture->boot.entry, 0x5555);
}

/* The guest has these bytes there. */
static inline void image_fixture_expect(const struct image_fixture *fixture, gpa_t address,
                                        const void *data, size_t size)
{
    unsigned char bytes[4096];

    assert_true(size <= sizeof(bytes));
    assert_int_equal(guest_memory_read(&fixture->memory, address, bytes, size), 0);
    assert_memory_equal(bytes, data, size);
}

static inline uint32_t image_fixture_u32(const struct image_fixture *fixture, gpa_t address)
{
    uint32_t value;

    assert_int_equal(guest_memory_read(&fixture->memory, address, &value, sizeof(value)), 0);
    return value;
}

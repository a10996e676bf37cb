/*
 * Console: where a device puts what the guest prints.
 */
#pragma once

#include <stddef.h>

struct console {
    void (*write)(void *context, const void *data, size_t size); /* never fails, never waits */
    void *context;
};

static inline void console_write(const struct console *console, const void *data, size_t size)
{
    console->write(console->context, data, size);
}

/*
 * Captured console: what a device printed, for the test to look at.
 */
#pragma once

#include <string.h>

#include "device/console.h"

enum { CAPTURED_MAX = 1024 };

struct captured_console {
    struct console console;
    char text[CAPTURED_MAX];
    size_t length;
};

static inline void captured_console_write(void *context, const void *data, size_t size)
{
    struct captured_console *captured = context;

    assert_in_range(captured->length + size, 0, CAPTURED_MAX);
    memcpy(captured->text + captured->length, data, size);
    captured->length += size;
}

static inline void captured_console_init(struct captured_console *captured)
{
    captured->length = 0;
    captured->console = (struct console){ .write = captured_console_write, .context = captured };
}

/* What was printed since the last look is exactly this text. */
static inline void assert_printed(struct captured_console *captured, const char *expected)
{
    assert_int_equal(captured->length, strlen(expected));
    assert_memory_equal(captured->text, expected, captured->length);
    captured->length = 0;
}

/*
 * Captured console: what a device printed, for the test to look at, and what the test types to it.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "device/console.h"

enum { CAPTURED_MAX = 1024 };

struct captured_console {
    struct console console;
    char text[CAPTURED_MAX];
    size_t length;
    const char *typed; /* input that the device has not taken yet */
    bool no_more_typed;
    unsigned starved; /* times the device found no input */
};

static inline void captured_console_write(void *context, const void *data, size_t size)
{
    struct captured_console *captured = context;

    assert_in_range(captured->length + size, 0, CAPTURED_MAX);
    memcpy(captured->text + captured->length, data, size);
    captured->length += size;
}

static inline size_t captured_console_read(void *context, void *data, size_t size)
{
    struct captured_console *captured = context;
    size_t length = strnlen(captured->typed, size);

    memcpy(data, captured->typed, length);
    captured->typed += length;
    return length;
}

static inline bool captured_console_ended(void *context)
{
    struct captured_console *captured = context;

    return captured->no_more_typed && *captured->typed == '\0';
}

static inline void captured_console_starved(void *context)
{
    struct captured_console *captured = context;

    captured->starved++;
}

static inline void captured_console_init(struct captured_console *captured)
{
    *captured = (struct captured_console){
        .console = {
            .write = captured_console_write,
            .read = captured_console_read,
            .ended = captured_console_ended,
            .starved = captured_console_starved,
            .context = captured,
        },
        .typed = "",
    };
}

/* What was printed since the last look is exactly this text. */
static inline void assert_printed(struct captured_console *captured, const char *expected)
{
    assert_int_equal(captured->length, strlen(expected));
    assert_memory_equal(captured->text, expected, captured->length);
    captured->length = 0;
}

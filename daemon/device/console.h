/*
 * Console: where a device puts what the guest prints, and takes what was typed to it.
 *
 * Input is flow controlled: what a device does not take stays with the console's owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct console {
    void (*write)(void *context, const void *data, size_t size); /* never fails, never waits */

    /* Takes up to size bytes of input that are there now; 0: none. Never waits. NULL: no input. */
    size_t (*read)(void *context, void *data, size_t size);

    /* Whether all input was read and no more will come. NULL: never. */
    bool (*ended)(void *context);

    /* The guest looked for input that is not there. What to do about it, when it keeps looking, is
     * the owner's to say; a guest that prints looks too, at the same register. NULL: nothing. */
    void (*starved)(void *context);

    void *context;
};

static inline void console_write(const struct console *console, const void *data, size_t size)
{
    console->write(console->context, data, size);
}

static inline size_t console_read(const struct console *console, void *data, size_t size)
{
    return console->read ? console->read(console->context, data, size) : 0;
}

static inline bool console_ended(const struct console *console)
{
    return console->ended && console->ended(console->context);
}

static inline void console_starved(const struct console *console)
{
    if (console->starved)
        console->starved(console->context);
}

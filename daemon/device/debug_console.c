#include "device/debug_console.h"

#include "guests/x86/board.h"

uint8_t debug_console_read(void *device, uint64_t offset)
{
    (void)device;
    (void)offset;
    return DEBUG_CONSOLE_PORT;
}

void debug_console_write(void *device, uint64_t offset, uint8_t value)
{
    struct debug_console *debug_console = device;

    (void)offset;
    console_write(debug_console->console, &value, 1);
}

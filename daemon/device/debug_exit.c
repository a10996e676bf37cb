#include "device/debug_exit.h"

#include <inttypes.h>

uint8_t debug_exit_read(void *device, uint64_t offset)
{
    (void)device;
    (void)offset;
    return 0;
}

/* Whichever of the ports it is: hw/misc/debugexit.c in QEMU does not look either. */
void debug_exit_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct debug_exit *debug_exit = device;
    uint8_t code = (uint8_t)(value << 1 | 1);

    (void)offset;
    (void)size;
    guest_end_set(debug_exit->end, GUEST_END_GUEST_EXIT, code,
                  "the guest exited with code %" PRIu8 " (it wrote %" PRIu64
                  " to the debug exit port)",
                  code, value);
}

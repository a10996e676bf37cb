#include "device/reset_control.h"

/* Intel 82371SB (PIIX3) data sheet, "RC: Reset Control Register" */
enum {
    REGISTER = RESET_CONTROL_PORT - RESET_CONTROL_BASE,

    HARD_RESET = 0x02, /* what kind it is to be; here they are the same */
    RESET_PROCESSOR = 0x04,
};

uint8_t reset_control_read(void *device, uint64_t offset)
{
    const struct reset_control *reset_control = device;

    return offset == REGISTER ? reset_control->value : 0xff; /* there is no PCI */
}

void reset_control_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct reset_control *reset_control = device;

    if (offset != REGISTER || size != 1)
        return;
    reset_control->value = value & HARD_RESET;
    if (value & RESET_PROCESSOR)
        guest_end_set(reset_control->end, GUEST_END_GUEST_EXIT, 0,
                      "the guest reset the machine (by the reset control register, port 0xcf9)");
}

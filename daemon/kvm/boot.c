#include "kvm/boot.h"

const char *boot_mode_to_string(enum boot_mode mode)
{
    static const char *const words[] = {
        [BOOT_REAL] = "real",   [BOOT_PROTECTED] = "protected",   [BOOT_LONG] = "long",
        [BOOT_RESET] = "reset", [BOOT_SUPERVISOR] = "supervisor",
    };

    return words[mode];
}

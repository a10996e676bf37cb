#include "device/finisher.h"

#include "guests/riscv64/board.h"

uint8_t finisher_read(void *device, uint64_t offset)
{
    (void)device, (void)offset;
    return 0;
}

static void finish(struct guest_end *end, int code)
{
    guest_end_set(end, GUEST_END_GUEST_EXIT, code, "the guest exited with code %d", code);
}

/* Exit codes have 8 bits; what does not fit must not become a success. */
static int exit_code(uint64_t code)
{
    return code <= UINT8_MAX ? (int)code : UINT8_MAX;
}

/* What is in the lower half says what the write is for. */
void finisher_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct finisher *finisher = device;

    (void)size;
    if (offset != 0)
        return;
    switch (value & 0xffff) {
    case FINISHER_PASS:
        finish(finisher->end, 0);
        break;
    case FINISHER_FAIL:
        finish(finisher->end, exit_code(value >> 16 & 0xffff));
        break;
    case FINISHER_RESET:
        guest_end_set(finisher->end, GUEST_END_GUEST_EXIT, 0,
                      "the guest reset the machine (test finisher)");
        break;
    }
}

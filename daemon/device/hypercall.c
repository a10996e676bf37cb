#include "device/hypercall.h"

#include <assert.h>
#include <stdio.h>

#include "guests/hypercall.h"
#include "util/log.h"

typedef void (*call_fn)(struct hypercall_device *device, uint64_t argument);

static void call_exit(struct hypercall_device *device, uint64_t argument)
{
    (void)argument;
    guest_end_set(device->end, GUEST_END_GUEST_EXIT, 0, "the guest exited with code 0");
}

static void call_putchar(struct hypercall_device *device, uint64_t argument)
{
    uint8_t byte = (uint8_t)argument;

    console_write(device->console, &byte, 1);
}

static void call_putnum(struct hypercall_device *device, uint64_t argument)
{
    char digits[8];
    int length = snprintf(digits, sizeof(digits), "%u", (unsigned)(uint16_t)argument);

    console_write(device->console, digits, (size_t)length);
}

static void call_newline(struct hypercall_device *device, uint64_t argument)
{
    (void)argument;
    console_write(device->console, "\n", 1);
}

static const struct call_row {
    const char *name;
    call_fn call;
} calls[] = {
    [HC_EXIT] = { "HC_EXIT", call_exit },
    [HC_PUTCHAR] = { "HC_PUTCHAR", call_putchar },
    [HC_PUTNUM] = { "HC_PUTNUM", call_putnum },
    [HC_NEWLINE] = { "HC_NEWLINE", call_newline },
};

enum { CALL_COUNT = sizeof(calls) / sizeof(calls[0]) };

static_assert((int)CALL_COUNT <= (int)EXIT_STATS_HYPERCALLS, "a counter for each hypercall");

static void count_unknown(struct hypercall_device *device, unsigned number)
{
    if (counter_get(&device->stats->unknown_hypercalls) == 0)
        log_vm_line(LOG_LEVEL_WARNING, device->vm_id, device->vm_name,
                    "hypercall 0x%02x does not exist, ignoring it and further ones", number);
    counter_add(&device->stats->unknown_hypercalls, 1);
}

void hypercall_device_call(void *context, unsigned number, uint64_t argument)
{
    struct hypercall_device *device = context;

    if (number >= CALL_COUNT) {
        count_unknown(device, number);
        return;
    }
    counter_add(&device->stats->hypercalls[number], 1);
    calls[number].call(device, argument);
}

const char *hypercall_name(unsigned number)
{
    return number < CALL_COUNT ? calls[number].name : NULL;
}

#include "device/hypercall.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "guests/hypercall.h"
#include "kvm/arch.h"
#include "kvm/guest_buffer.h"
#include "kvm/machine.h"
#include "shared/hypercall_name.h"
#include "util/log.h"

enum { PIECE = 4096 }; /* bytes of a buffer that are moved at a time */

typedef enum hypercall_outcome (*call_fn)(struct hypercall_device *device, struct vcpu *vcpu,
                                          uint64_t argument, uint64_t *ret);

static enum hypercall_outcome call_exit(struct hypercall_device *device, struct vcpu *vcpu,
                                        uint64_t argument, uint64_t *ret)
{
    (void)vcpu, (void)argument, (void)ret;
    guest_end_set(device->end, GUEST_END_GUEST_EXIT, 0, "the guest exited with code 0");
    return HYPERCALL_DONE;
}

static enum hypercall_outcome call_exit_code(struct hypercall_device *device, struct vcpu *vcpu,
                                             uint64_t argument, uint64_t *ret)
{
    int code = (uint8_t)argument;

    (void)vcpu, (void)ret;
    guest_end_set(device->end, GUEST_END_GUEST_EXIT, code, "the guest exited with code %d", code);
    return HYPERCALL_DONE;
}

static enum hypercall_outcome call_putchar(struct hypercall_device *device, struct vcpu *vcpu,
                                           uint64_t argument, uint64_t *ret)
{
    uint8_t byte = (uint8_t)argument;

    (void)vcpu, (void)ret;
    console_write(device->console, &byte, 1);
    return HYPERCALL_DONE;
}

static enum hypercall_outcome call_putnum(struct hypercall_device *device, struct vcpu *vcpu,
                                          uint64_t argument, uint64_t *ret)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, argument);

    (void)vcpu, (void)ret;
    console_write(device->console, digits, (size_t)length);
    return HYPERCALL_DONE;
}

static enum hypercall_outcome call_newline(struct hypercall_device *device, struct vcpu *vcpu,
                                           uint64_t argument, uint64_t *ret)
{
    (void)vcpu, (void)argument, (void)ret;
    console_write(device->console, "\n", 1);
    return HYPERCALL_DONE;
}

/* The buffer that the guest's registers tell of, no more of it than is moved in one call. Errors:
 * -EFAULT, it is not all memory. */
static int find_buffer(struct vcpu *vcpu, uint64_t *ret_address, uint64_t *ret_size)
{
    int r = arch_hypercall_buffer(vcpu, ret_address, ret_size);

    if (r < 0)
        return r;
    if (*ret_size > HC_TRANSFER_MAX)
        *ret_size = HC_TRANSFER_MAX;
    return guest_buffer_check(vcpu, *ret_address, *ret_size);
}

static enum hypercall_outcome call_write(struct hypercall_device *device, struct vcpu *vcpu,
                                         uint64_t argument, uint64_t *ret)
{
    unsigned char bytes[PIECE];
    uint64_t address, size;

    (void)argument;
    if (find_buffer(vcpu, &address, &size) < 0)
        return HYPERCALL_REFUSED;
    *ret = size;
    while (size > 0) {
        size_t n = size < sizeof(bytes) ? (size_t)size : sizeof(bytes);

        if (guest_buffer_read(vcpu, address, bytes, n) < 0) /* another vCPU unmapped it */
            break;
        console_write(device->console, bytes, n);
        address += n;
        size -= n;
    }
    *ret -= size;
    return HYPERCALL_RESULT;
}

static enum hypercall_outcome call_read(struct hypercall_device *device, struct vcpu *vcpu,
                                        uint64_t argument, uint64_t *ret)
{
    unsigned char bytes[PIECE];
    uint64_t address, size;

    (void)argument;
    if (find_buffer(vcpu, &address, &size) < 0)
        return HYPERCALL_REFUSED;
    *ret = 0;
    while (*ret < size) {
        uint64_t room = size - *ret;
        size_t n = console_read(device->console, bytes,
                                room < sizeof(bytes) ? (size_t)room : sizeof(bytes));

        if (n == 0 || guest_buffer_write(vcpu, address + *ret, bytes, n) < 0)
            break;
        *ret += n;
    }
    if (*ret == 0 && size > 0)
        console_starved(device->console);
    return HYPERCALL_RESULT;
}

static enum hypercall_outcome call_getchar(struct hypercall_device *device, struct vcpu *vcpu,
                                           uint64_t argument, uint64_t *ret)
{
    uint8_t byte;

    (void)vcpu, (void)argument;
    if (console_read(device->console, &byte, 1) == 0)
        return console_ended(device->console) ? HYPERCALL_END : HYPERCALL_WAIT;
    *ret = byte;
    return HYPERCALL_BYTE;
}

/* Whoever looks for output that makes no exit looks at the ring's producer. */
static void watch_ring(struct hypercall_device *device)
{
    vcpu_kick_consumed(device->kick, device->ring.consumed);
    vcpu_kick_watch(device->kick, guest_ring_producer(&device->ring, device->memory));
}

static enum hypercall_outcome call_ring(struct hypercall_device *device, struct vcpu *vcpu,
                                        uint64_t argument, uint64_t *ret)
{
    uint64_t address, size;
    struct error err;
    gpa_t gpa;

    (void)argument;
    if (arch_hypercall_buffer(vcpu, &address, &size) < 0 || arch_translate(vcpu, address, &gpa) < 0)
        return HYPERCALL_REFUSED;
    hypercall_device_drain(device); /* the ring before it, if there is one */
    if (guest_ring_open(&device->ring, device->memory, gpa, &err) < 0) {
        note_set(device->ring_note, "an output ring was refused: %s", err.text);
        return HYPERCALL_REFUSED;
    }
    watch_ring(device);
    *ret = 0;
    return HYPERCALL_RESULT;
}

/* It was drained, as at every exit, if there is one; then this is how the guest hears of it. */
static enum hypercall_outcome call_notify(struct hypercall_device *device, struct vcpu *vcpu,
                                          uint64_t argument, uint64_t *ret)
{
    (void)vcpu, (void)argument;
    hypercall_device_drain(device);
    if (device->ring.size == 0)
        return HYPERCALL_REFUSED;
    *ret = 0;
    return HYPERCALL_RESULT;
}

static const call_fn calls[] = {
    [HC_EXIT] = call_exit,       [HC_PUTCHAR] = call_putchar,     [HC_PUTNUM] = call_putnum,
    [HC_NEWLINE] = call_newline, [HC_EXIT_CODE] = call_exit_code, [HC_WRITE] = call_write,
    [HC_READ] = call_read,       [HC_GETCHAR] = call_getchar,     [HC_RING] = call_ring,
    [HC_NOTIFY] = call_notify,
};

enum { CALL_COUNT = sizeof(calls) / sizeof(calls[0]) };

static_assert((int)CALL_COUNT == (int)HYPERCALL_COUNT, "each has a name, too");
static_assert((int)CALL_COUNT <= (int)EXIT_STATS_HYPERCALLS, "a counter for each hypercall");

static void count_unknown(struct hypercall_device *device, unsigned number)
{
    if (counter_get(&device->stats->unknown_hypercalls) == 0)
        log_vm_line(LOG_LEVEL_WARNING, device->vm_id, device->vm_name,
                    "hypercall 0x%02x does not exist, ignoring it and further ones", number);
    counter_add(&device->stats->unknown_hypercalls, 1);
}

enum hypercall_outcome hypercall_device_call(void *context, struct vcpu *vcpu,
                                             const struct hypercall *call, uint64_t *ret_result)
{
    struct hypercall_device *device = context;
    enum hypercall_outcome outcome;

    if (call->number >= CALL_COUNT) {
        count_unknown(device, call->number);
        return HYPERCALL_UNKNOWN;
    }
    outcome = calls[call->number](device, vcpu, call->argument, ret_result);
    if (outcome != HYPERCALL_WAIT) /* one call, however often it is tried */
        counter_add(&device->stats->hypercalls[call->number], 1);
    return outcome;
}

void hypercall_device_drain(struct hypercall_device *device)
{
    struct error err;

    if (device->ring.size == 0)
        return;
    if (guest_ring_drain(&device->ring, device->memory, device->console, &err) == 0) {
        vcpu_kick_consumed(device->kick, device->ring.consumed);
        return;
    }
    vcpu_kick_watch(device->kick, NULL);
    note_set(device->ring_note, "%s", err.text);
    log_vm_line(LOG_LEVEL_WARNING, device->vm_id, device->vm_name, "%s", err.text);
}

#include "device/plic.h"

#include <stddef.h>

/* The memory map: specification, chapter 3. */
enum {
    PRIORITIES = 0x0, /* one for each source */
    PENDING = 0x1000,
    ENABLES = 0x2000, /* of context 0; */
    ENABLES_STRIDE = 0x80,
    CONTEXTS = 0x200000, /* likewise: threshold, and claim and completion */
    CONTEXTS_STRIDE = 0x1000,
    CONTEXT_THRESHOLD = 0,
    CONTEXT_CLAIM = 4,
};

/* The source to be served next: the highest priority, and of equals the lowest number. 0: none. */
static unsigned find_next(const struct plic *plic, const struct plic_context *context)
{
    uint32_t candidates = plic->pending & context->enabled;
    uint32_t above = 0;
    unsigned next = 0;

    for (unsigned source = 1; source < PLIC_SOURCES; source++)
        if (candidates & 1u << source && plic->priorities[source] > above) {
            above = plic->priorities[source];
            next = source;
        }
    return next;
}

/* After any change. The threshold masks the notification, not the claim: chapter 8. */
static void update(struct plic *plic)
{
    plic->pending |= plic->levels & ~plic->claimed;
    for (unsigned i = 0; i < plic->context_count; i++) {
        struct plic_context *context = &plic->contexts[i];
        unsigned next = find_next(plic, context);
        bool level = next != 0 && plic->priorities[next] > context->threshold;

        if (level != context->level) {
            context->level = level;
            plic->set(plic->context, i, level);
        }
    }
}

void plic_init(struct plic *plic, unsigned context_count,
               void (*set)(void *context, unsigned hart, bool level), void *context)
{
    *plic = (struct plic){ .set = set, .context = context, .context_count = context_count };
}

/* A request that was not claimed goes when its level does, as QEMU has it. A gateway of the
 * specification's ("Interrupt Gateways") would not take it back, and the handler find a device that
 * wants nothing. */
void plic_set(void *device, unsigned source, bool level)
{
    struct plic *plic = device;

    if (level) {
        plic->levels |= 1u << source;
    } else {
        plic->levels &= ~(1u << source);
        plic->pending &= ~(1u << source);
    }
    update(plic);
}

static uint32_t claim(struct plic *plic, struct plic_context *context)
{
    unsigned source = find_next(plic, context);

    if (source != 0) {
        plic->pending &= ~(1u << source);
        plic->claimed |= 1u << source;
        update(plic);
    }
    return source;
}

/* Ignored, where the source is not enabled for the context: chapter 9. */
static void complete(struct plic *plic, const struct plic_context *context, uint32_t source)
{
    if (source < PLIC_SOURCES && context->enabled & 1u << source)
        plic->claimed &= ~(1u << source);
}

/* The context whose registers are there, `stride` bytes each from `base` on. NULL: none. */
static struct plic_context *find_context(struct plic *plic, uint64_t offset, uint64_t base,
                                         uint64_t stride, uint64_t *ret_rest)
{
    uint64_t index = (offset - base) / stride;

    if (offset < base || index >= plic->context_count)
        return NULL;
    *ret_rest = (offset - base) % stride;
    return &plic->contexts[index];
}

static uint32_t read_register(struct plic *plic, uint64_t offset)
{
    struct plic_context *context;
    uint64_t rest;

    if (offset < PLIC_SOURCES * 4)
        return plic->priorities[offset / 4];
    if (offset == PENDING)
        return plic->pending;
    context = find_context(plic, offset, CONTEXTS, CONTEXTS_STRIDE, &rest);
    if (context && rest == CONTEXT_THRESHOLD)
        return context->threshold;
    if (context && rest == CONTEXT_CLAIM)
        return claim(plic, context);
    context = find_context(plic, offset, ENABLES, ENABLES_STRIDE, &rest);
    return context && rest == 0 ? context->enabled : 0;
}

static void write_register(struct plic *plic, uint64_t offset, uint32_t value)
{
    struct plic_context *context;
    uint64_t rest;

    if (offset < PLIC_SOURCES * 4) {
        if (offset > PRIORITIES) /* source 0 has none */
            plic->priorities[offset / 4] = value & PLIC_PRIORITY_MAX;
        return;
    }
    context = find_context(plic, offset, CONTEXTS, CONTEXTS_STRIDE, &rest);
    if (context && rest == CONTEXT_THRESHOLD)
        context->threshold = value & PLIC_PRIORITY_MAX;
    if (context && rest == CONTEXT_CLAIM)
        complete(plic, context, value);
    context = find_context(plic, offset, ENABLES, ENABLES_STRIDE, &rest);
    if (context && rest == 0)
        context->enabled = value & ~1u;
}

/* What begins within a register is no access to it. */
static bool is_register(uint64_t offset)
{
    return offset % 4 == 0;
}

uint64_t plic_read(void *device, uint64_t offset, unsigned size)
{
    (void)size;
    return is_register(offset) ? read_register(device, offset) : 0;
}

void plic_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct plic *plic = device;

    (void)size;
    if (!is_register(offset))
        return;
    write_register(plic, offset, (uint32_t)value);
    update(plic);
}

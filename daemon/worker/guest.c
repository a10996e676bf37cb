#include "worker/guest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

/* How often a guest is asked whether it sleeps for ever. */
#define ASK_NS (200 * CLOCK_NS_PER_MS)

/* A guest that is killed has this long to come out of loading its files by itself. */
#define DISOWN_NS CLOCK_NS_PER_SEC

/* The parts of the message that are kept. */
static int read_start(struct guest *guest, const struct link_message *message)
{
    struct link_start start;
    size_t fixed = sizeof(start);

    link_message_read(message, &start, sizeof(start));
    if (message->size < fixed || start.texts_size > message->size - fixed ||
        start.vm.slot >= SLOTS_MAX || definition_check(&start.definition) < 0 ||
        !memchr(start.name, '\0', sizeof(start.name)))
        return -EBADMSG;
    guest->texts_block = malloc(start.texts_size + 1);
    if (!guest->texts_block)
        return -ENOMEM;
    memcpy(guest->texts_block, message->bytes + fixed, start.texts_size);
    if (definition_unpack(&start.definition, guest->texts_block, start.texts_size, &guest->texts) <
        0)
        return -EBADMSG;

    guest->slot = start.vm.slot;
    guest->definition = start.definition;
    guest->id = start.vm.id;
    guest->owner = start.owner;
    guest->created_ns = start.created_ns;
    snprintf(guest->name, sizeof(guest->name), "%s", start.name);
    return 0;
}

static int make_kicks(struct guest *guest)
{
    guest->kicks = calloc(guest->definition.cpus, sizeof(*guest->kicks));
    if (!guest->kicks)
        return -ENOMEM;
    for (unsigned i = 0; i < guest->definition.cpus; i++)
        vcpu_kick_init(&guest->kicks[i]);
    return 0;
}

static void free_guest(struct guest **guest)
{
    guest_free(*guest);
}

int guest_new(const struct guest_home *home, struct link_message *message, struct guest **ret)
{
    _cleanup_(free_guest) struct guest *guest = calloc(1, sizeof(*guest));
    int r;

    if (!guest)
        return -ENOMEM;
    guest->home = home;
    guest->file_fd = link_message_take_fd(message, 0);
    guest->supply_fd = link_message_take_fd(message, 1);
    request_queue_init(&guest->requests);
    pthread_mutex_init(&guest->lock, NULL);
    pthread_mutex_init(&guest->input_lock, NULL);
    r = read_start(guest, message);
    if (r == 0 && (guest->file_fd < 0 || guest->supply_fd < 0))
        r = -EBADMSG;
    if (r == 0)
        r = make_kicks(guest);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(guest);
    return 0;
}

void guest_describe(const struct guest *guest, struct vm_record *ret)
{
    const struct definition *definition = &guest->definition;

    *ret = (struct vm_record){
        .id = guest->id,
        .owner = guest->owner,
        .created_ns = guest->created_ns,
        .cpus = definition->cpus,
        .machine.memory_bytes = definition->memory_bytes,
    };
    snprintf(ret->name, sizeof(ret->name), "%s", guest->name);
    snprintf(ret->image, sizeof(ret->image), "%s", guest->texts.sources[0].name);
    vm_machine_record_begin(&ret->machine, (enum image_format)definition->format);
}

void guest_free(struct guest *guest)
{
    if (!guest)
        return;
    if (guest->file_fd >= 0)
        close(guest->file_fd);
    if (guest->supply_fd >= 0)
        close(guest->supply_fd);
    for (unsigned i = 0; guest->kicks && i < guest->definition.cpus; i++)
        vcpu_kick_deinit(&guest->kicks[i]);
    free(guest->kicks);
    input_queue_free(guest->input);
    vm_file_free(guest->file);
    request_queue_deinit(&guest->requests);
    pthread_mutex_destroy(&guest->input_lock);
    pthread_mutex_destroy(&guest->lock);
    free(guest->texts_block);
    free(guest);
}

void guest_tell(struct guest *guest, uint32_t news)
{
    slot_page_tell(guest->home->page, guest->slot, news, guest->home->bell_fd);
}

enum link_phase guest_phase(struct guest *guest)
{
    enum link_phase phase;

    pthread_mutex_lock(&guest->lock);
    phase = guest->phase;
    pthread_mutex_unlock(&guest->lock);
    return phase;
}

bool guest_has_file_at(struct guest *guest, uintptr_t address)
{
    const struct vm_file *file;

    pthread_mutex_lock(&guest->lock);
    file = guest->file;
    pthread_mutex_unlock(&guest->lock);
    return file && address >= (uintptr_t)file->map &&
           address - (uintptr_t)file->map < file->map_size;
}

/* Asking. */

static void kick_all(struct guest *guest)
{
    for (unsigned i = 0; i < guest->definition.cpus; i++)
        vcpu_kick(&guest->kicks[i]);
}

/* There is room for one: what is asked later takes the place of what was asked before, save that of
 * an end. */
static void ask_later(struct guest *guest, const struct request *request)
{
    if (!guest->asks_again)
        log_vm_line(LOG_LEVEL_WARNING, guest->id, guest->name,
                    "no memory for a request to its thread, trying again");
    if (!guest->asks_again || guest->unasked.kind != REQUEST_END)
        guest->unasked = *request;
    guest->asks_again = true;
}

static void ask_again(struct guest *guest)
{
    if (!guest->asks_again || request_queue_put(&guest->requests, &guest->unasked) < 0)
        return;
    guest->asks_again = false;
    kick_all(guest);
}

void guest_ask(struct guest *guest, const struct request *request)
{
    if (request_queue_put(&guest->requests, request) < 0)
        ask_later(guest, request);
    if (request->kind == REQUEST_END && request->end.reason == GUEST_END_KILLED &&
        guest->disown_mono_ns == 0) {
        guest->disown_mono_ns = clock_monotonic_ns() + DISOWN_NS;
        guest->killed = request->end;
    }
    kick_all(guest);
}

void guest_note_end(struct guest *guest, const struct request_end *end)
{
    if (atomic_load(&guest->end))
        return; /* the first to ask is recorded */
    guest->asked_to_end = *end;
    atomic_store(&guest->end, 1);
}

/* Input. */

void guest_take_input_queue(struct guest *guest, struct input_queue *queue)
{
    struct input_queue *before;

    pthread_mutex_lock(&guest->input_lock);
    before = guest->input;
    input_queue_move(before, queue);
    guest->input = queue;
    pthread_mutex_unlock(&guest->input_lock);
    input_queue_free(before);
    guest_tell(guest, SLOT_ROOM);
}

bool guest_has_input_queue(struct guest *guest)
{
    bool has;

    pthread_mutex_lock(&guest->input_lock);
    has = guest->input != NULL;
    pthread_mutex_unlock(&guest->input_lock);
    return has;
}

/* Times. */

static int64_t cpu_ns(struct guest *guest)
{
    int64_t sum_ns = 0;

    if (guest_phase(guest) == LINK_PHASE_ENDED)
        return -1; /* its threads may be there yet, taking it down: that is not its time */
    for (unsigned i = 0; i < guest->definition.cpus; i++) {
        int64_t ns = vcpu_kick_cpu_ns(&guest->kicks[i]);

        if (ns < 0)
            return -1;
        sum_ns += ns;
    }
    return sum_ns;
}

void guest_tell_times(struct guest *guest)
{
    atomic_store(&guest->home->page->slots[guest->slot].cpu_ns, cpu_ns(guest));
    guest_tell(guest, SLOT_TIMES);
}

/* When its timeout comes: while it stands still, its time does, too. INT64_MAX: never, as it is. */
static int64_t timeout_mono_ns(struct guest *guest)
{
    int64_t at = INT64_MAX;
    uint64_t timeout_ns;

    if (__builtin_mul_overflow(guest->definition.timeout_ms, (uint64_t)CLOCK_NS_PER_MS,
                               &timeout_ns) ||
        timeout_ns > INT64_MAX / 2)
        return INT64_MAX;
    pthread_mutex_lock(&guest->lock);
    if (guest->phase == LINK_PHASE_RUNNING)
        at = guest->started_mono_ns + (int64_t)(guest->stood_ns + timeout_ns);
    pthread_mutex_unlock(&guest->lock);
    return at;
}

static void look_at_timeout(struct guest *guest, int64_t now_ns, int64_t *next_ns)
{
    struct request request = { .kind = REQUEST_END, .end.reason = GUEST_END_TIMEOUT };
    int64_t at;

    if (guest->definition.timeout_ms == 0 || guest->timed_out)
        return;
    at = timeout_mono_ns(guest);
    if (at > now_ns) {
        if (at < *next_ns)
            *next_ns = at;
        return;
    }
    guest->timed_out = true;
    snprintf(request.end.sentence, sizeof(request.end.sentence),
             "it ran for longer than its timeout of %" PRIu64 " ms", guest->definition.timeout_ms);
    guest_ask(guest, &request);
}

/* Where it is KVM that waits when the guest does, it would wait for ever for one that has disabled
 * interrupts. A kick lets the vCPUs see that. */
static bool is_to_be_asked(struct guest *guest, int64_t now_ns)
{
    if (!atomic_load(&guest->waits_in_kvm) || now_ns - guest->asked_mono_ns < ASK_NS)
        return false;
    guest->asked_mono_ns = now_ns;
    return true;
}

/* The first kick may have found the vCPU just coming. */
static bool waits_for_a_kick(struct guest *guest, enum link_phase phase)
{
    bool paused = phase == LINK_PHASE_PAUSED;

    return request_queue_has_any(&guest->requests) || atomic_load(&guest->end) ||
           (atomic_load(&guest->pause) & 1) != paused;
}

void guest_tick(struct guest *guest, int64_t now_ns, int64_t *next_ns)
{
    enum link_phase phase = guest_phase(guest);

    ask_again(guest);
    switch (phase) {
    case LINK_PHASE_STARTING:
        if (guest->disown_mono_ns > 0 && guest->disown_mono_ns < *next_ns)
            *next_ns = guest->disown_mono_ns;
        break;
    case LINK_PHASE_RUNNING:
        look_at_timeout(guest, now_ns, next_ns);
        if (waits_for_a_kick(guest, phase) || is_to_be_asked(guest, now_ns))
            kick_all(guest);
        else
            vcpu_kick_if_undrained(&guest->kicks[0]);
        break;
    case LINK_PHASE_PAUSED:
        if (waits_for_a_kick(guest, phase))
            kick_all(guest);
        break;
    case LINK_PHASE_ENDED:
        break;
    }
}

/* [lock] held. */
static void write_ending_of_killed(struct guest *guest)
{
    struct vm_record *record = guest->file->record;

    record->ended_ns = clock_realtime_ns();
    record->stopped_by = guest->killed.by;
    guest_end_set(&record->end, guest->killed.reason, 0, "%s, while it was loading its files",
                  guest->killed.sentence);
    atomic_store(guest->file->state, (uint32_t)VM_EXITED);
}

bool guest_disown_if_due(struct guest *guest, int64_t now_ns)
{
    bool disowned = false;

    if (guest->disown_mono_ns == 0 || now_ns < guest->disown_mono_ns)
        return false;
    pthread_mutex_lock(&guest->lock);
    if (guest->phase == LINK_PHASE_STARTING) {
        disowned = guest->disowned = true;
        guest->phase = LINK_PHASE_ENDED;
        if (guest->file)
            write_ending_of_killed(guest);
    }
    pthread_mutex_unlock(&guest->lock);
    return disowned;
}

bool guest_is_disowned(struct guest *guest)
{
    bool disowned;

    pthread_mutex_lock(&guest->lock);
    disowned = guest->disowned;
    pthread_mutex_unlock(&guest->lock);
    return disowned;
}

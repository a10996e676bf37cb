#include "rpc/record_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "protocol/json_text.h"
#include "shared/exit_reason.h"
#include "shared/hypercall_name.h"
#include "util/clock.h"
#include "vm/vm.h"

enum { TEXT_SIZE = GUEST_END_MESSAGE_SIZE }; /* the longest text there is */

static_assert(sizeof(((struct vm_record *)NULL)->name) <= TEXT_SIZE &&
                  sizeof(((struct vm_record *)NULL)->image) <= TEXT_SIZE &&
                  sizeof(((struct vm_record *)NULL)->machine.note) <= TEXT_SIZE &&
                  sizeof(((struct vm_record *)NULL)->end.message) <= TEXT_SIZE &&
                  (int)NOTE_TEXT_SIZE <= (int)TEXT_SIZE,
              "texts of a record");

/* The text may hold a path that a client gave, cut anywhere, or come from a damaged state file. */
static void add_text(struct json_object *object, const char *name, const char *text)
{
    char valid[TEXT_SIZE];

    snprintf(valid, sizeof(valid), "%s", text);
    utf8_repair(valid);
    json_object_object_add(object, name, json_object_new_string(valid));
}

static void add_number(struct json_object *object, const char *name, uint64_t number)
{
    json_object_object_add(object, name, json_object_new_uint64(number));
}

struct json_object *time_json(long long realtime_ns)
{
    char text[CLOCK_TEXT_SIZE];

    return realtime_ns ? json_object_new_string(clock_format(realtime_ns, text)) : NULL;
}

static struct json_object *peer_json(const struct vm_peer *peer)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "uid", peer->uid);
    add_number(object, "gid", peer->gid);
    json_object_object_add(object, "pid", json_object_new_int(peer->pid));
    return object;
}

static struct json_object *registers_json(const struct register_dump *dump)
{
    struct json_object *object = json_object_new_object();
    char value[24];

    for (uint64_t i = 0; i < dump->count; i++) {
        snprintf(value, sizeof(value), "0x%" PRIx64, dump->rows[i].value);
        add_text(object, dump->rows[i].name, value);
    }
    return object;
}

/* The bytes at the instruction pointer; NULL: they are not known. */
static struct json_object *instructions_json(const struct register_dump *dump)
{
    struct json_object *object;
    char text[2 * REGISTER_DUMP_CODE_MAX + 1] = "", address[24];

    if (dump->code_size == 0)
        return NULL;
    for (uint32_t i = 0; i < dump->code_size; i++)
        snprintf(text + 2 * i, 3, "%02x", dump->code[i]);
    snprintf(address, sizeof(address), "0x%" PRIx64, dump->code_address);
    object = json_object_new_object();
    add_text(object, "address", address);
    add_text(object, "bytes", text);
    add_number(object, "bits", dump->code_bits);
    return object;
}

/* Where a CPU stands: registers, and what it would do next. */
static void add_dump(struct json_object *object, const struct register_dump *dump)
{
    struct json_object *instructions = instructions_json(dump);

    json_object_object_add(object, "registers", registers_json(dump));
    if (instructions)
        json_object_object_add(object, "instructions", instructions);
}

struct json_object *record_json_exit(const struct vm_record *record)
{
    struct json_object *object = json_object_new_object();
    const struct guest_end *end = &record->end;

    add_text(object, "reason", guest_end_reason_to_string(end->reason));
    json_object_object_add(object, "code",
                           end->reason == GUEST_END_GUEST_EXIT ? json_object_new_int(end->code)
                                                               : NULL);
    add_text(object, "message", end->message);
    if (end->reason == GUEST_END_STOPPED || end->reason == GUEST_END_KILLED)
        json_object_object_add(object, "by", peer_json(&record->stopped_by));
    if (end->registers.count > 0)
        add_dump(object, &end->registers);
    return object;
}

static struct json_object *output_json(const struct vm *vm)
{
    const struct output_ring *ring = vm_ring(vm);
    struct json_object *object = json_object_new_object();

    add_number(object, "first", ring ? output_ring_first(ring) : 0);
    add_number(object, "next", ring ? output_ring_end(ring) : 0);
    add_number(object, "capacity",
               ring ? atomic_load(&ring->state->capacity) : vm_ring_capacity(vm));
    return object;
}

static struct json_object *input_json(const struct vm *vm)
{
    const struct input_queue *queue = vm_input_queue(vm);
    struct json_object *object = json_object_new_object();
    bool ended = vm_has_ended(vm) || (queue && input_queue_is_closed(queue));

    add_number(object, "queued", queue ? input_queue_length(queue) : 0);
    add_number(object, "capacity", INPUT_QUEUE_CAPACITY);
    json_object_object_add(object, "ended", json_object_new_boolean(ended));
    return object;
}

static struct json_object *post_json(const struct post_codes *codes)
{
    struct json_object *object = NULL;
    const struct {
        const char *port;
        const struct post_code *code;
    } rows[] = { { "0x80", &codes->port_80 }, { "0x190", &codes->port_190 } };
    uint8_t value;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!post_code_get(rows[i].code, &value))
            continue;
        if (!object)
            object = json_object_new_object();
        add_number(object, rows[i].port, value);
    }
    return object;
}

/* What is there only of some VMs. */
static void add_notes(struct json_object *object, const struct vm *vm)
{
    const struct vm_file *file = vm_file(vm);
    struct json_object *post = file ? post_json(file->post) : NULL;
    char ring_note[NOTE_TEXT_SIZE] = "";

    if (vm_record(vm)->machine.note[0])
        add_text(object, "note", vm_record(vm)->machine.note);
    if (post)
        json_object_object_add(object, "post", post);
    if (file)
        vm_file_read_ring_note(file, ring_note);
    if (ring_note[0])
        add_text(object, "ring_end", ring_note);
    if (vm_paused_at(vm)) {
        struct json_object *paused = json_object_new_object();

        add_dump(paused, vm_paused_at(vm));
        json_object_object_add(object, "paused", paused);
    }
}

struct json_object *record_json(const struct vm *vm)
{
    const struct vm_record *record = vm_record(vm);
    const struct exit_stats *stats = vm_stats(vm);
    struct json_object *object = json_object_new_object();

    add_number(object, "id", record->id);
    add_text(object, "name", record->name);
    add_text(object, "state", vm_state_to_string(vm_state(vm)));
    json_object_object_add(object, "owner", peer_json(&record->owner));
    add_text(object, "image", record->image);
    add_number(object, "image_size", record->machine.image_size);
    add_text(object, "format", record->machine.format);
    add_text(object, "mode", record->machine.mode);
    add_text(object, "machine", record->machine.machine);
    add_number(object, "cpus", record->cpus);
    add_number(object, "memory", record->machine.memory_bytes);
    json_object_object_add(object, "created", time_json(record->created_ns));
    json_object_object_add(object, "started", time_json(record->started_ns));
    json_object_object_add(object, "ended", time_json(record->ended_ns));
    json_object_object_add(object, "exit", vm_has_ended(vm) ? record_json_exit(record) : NULL);
    json_object_object_add(object, "output", output_json(vm));
    add_number(object, "exits", stats ? counter_get(&stats->exits) : 0);
    add_number(object, "uptime_ns", vm_uptime_ns(vm));
    add_number(object, "paused_ns", vm_paused_ns(vm));
    json_object_object_add(object, "input", input_json(vm));
    add_notes(object, vm);
    return object;
}

/* Statistics. */

static struct json_object *reasons_json(const struct exit_stats *stats)
{
    struct json_object *object = json_object_new_object();

    for (uint32_t i = 0; i < EXIT_STATS_REASONS; i++) {
        uint64_t count = counter_get(&stats->by_reason[i]);

        if (count > 0)
            add_number(object, exit_reason_to_string(i), count);
    }
    return object;
}

static struct json_object *exits_json(const struct exit_stats *stats)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "total", counter_get(&stats->exits));
    json_object_object_add(object, "by_reason", reasons_json(stats));
    return object;
}

static struct json_object *io_row_json(const struct io_row *row)
{
    struct json_object *object = json_object_new_object();

    add_text(object, "space", row->space == IO_SPACE_PORT ? "port" : "memory");
    add_number(object, "address", counter_get(&row->address));
    add_text(object, "direction", row->direction == IO_OUT ? "out" : "in");
    add_number(object, "count", counter_get(&row->count));
    json_object_object_add(object, "handled", json_object_new_boolean(row->handled != 0));
    return object;
}

static int busiest_first(const void *a, const void *b)
{
    uint64_t left = json_object_get_uint64(
                 json_object_object_get(*(struct json_object *const *)a, "count")),
             right = json_object_get_uint64(
                 json_object_object_get(*(struct json_object *const *)b, "count"));

    return left > right ? -1 : left < right;
}

static struct json_object *io_json(const struct exit_stats *stats)
{
    struct json_object *array = json_object_new_array(), *rest;
    uint64_t without_row = counter_get(&stats->io_without_row);

    for (unsigned i = 0; i < EXIT_STATS_IO_ROWS; i++)
        if (atomic_load_explicit(&stats->io[i].count, memory_order_acquire) > 0)
            json_object_array_add(array, io_row_json(&stats->io[i]));
    json_object_array_sort(array, busiest_first);
    if (without_row > 0) {
        rest = json_object_new_object();
        json_object_object_add(rest, "space", NULL);
        json_object_object_add(rest, "address", NULL);
        json_object_object_add(rest, "direction", NULL);
        add_number(rest, "count", without_row);
        json_object_object_add(rest, "handled", NULL);
        json_object_array_add(array, rest);
    }
    return array;
}

static void add_hypercall(struct json_object *array, struct json_object *number, const char *name,
                          uint64_t count)
{
    struct json_object *object = json_object_new_object();

    json_object_object_add(object, "number", number);
    add_text(object, "name", name);
    add_number(object, "count", count);
    json_object_array_add(array, object);
}

static struct json_object *hypercalls_json(const struct exit_stats *stats)
{
    struct json_object *array = json_object_new_array();
    uint64_t unknown = counter_get(&stats->unknown_hypercalls);

    for (unsigned i = 0; i < EXIT_STATS_HYPERCALLS; i++) {
        uint64_t count = counter_get(&stats->hypercalls[i]);

        if (count > 0 && hypercall_name(i))
            add_hypercall(array, json_object_new_int((int)i), hypercall_name(i), count);
    }
    if (unknown > 0)
        add_hypercall(array, NULL, "unknown", unknown);
    return array;
}

struct json_object *stats_json(const struct vm *vm)
{
    static const struct exit_stats none; /* of a VM that has no file */
    const struct exit_stats *stats = vm_stats(vm) ? vm_stats(vm) : &none;
    struct json_object *object = json_object_new_object(), *time = json_object_new_object();
    int64_t cpu_ns = vm_cpu_ns(vm);

    add_number(object, "vm", vm_id(vm));
    json_object_object_add(object, "exits", exits_json(stats));
    json_object_object_add(object, "io", io_json(stats));
    json_object_object_add(object, "hypercalls", hypercalls_json(stats));
    add_number(object, "coalesced", counter_get(&stats->coalesced));
    add_number(time, "guest_ns", counter_get(&stats->guest_ns));
    add_number(time, "vmm_ns", counter_get(&stats->vmm_ns));
    if (cpu_ns >= 0)
        add_number(time, "cpu_ns", (uint64_t)cpu_ns);
    json_object_object_add(object, "time", time);
    return object;
}

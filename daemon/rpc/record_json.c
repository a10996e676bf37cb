#include "rpc/record_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "protocol/json_builder.h"
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
static void add_text(struct json_object **object, const char *name, const char *text)
{
    char valid[TEXT_SIZE];

    snprintf(valid, sizeof(valid), "%s", text);
    utf8_repair(valid);
    json_add_text(object, name, valid);
}

void record_json_add_time(struct json_object **object, const char *name, int64_t realtime_ns)
{
    char text[CLOCK_TEXT_SIZE];

    if (realtime_ns)
        json_add_text(object, name, clock_format(realtime_ns, text));
    else
        json_add_null(object, name);
}

static struct json_object *peer_json(const struct vm_peer *peer)
{
    struct json_object *object = json_object_new_object();

    json_add_unsigned(&object, "uid", peer->uid);
    json_add_unsigned(&object, "gid", peer->gid);
    json_add_signed(&object, "pid", peer->pid);
    return object;
}

/* The names come from a file that a worker writes: texts they are (shared/vm_file.h), but of
 * whatever bytes. */
static struct json_object *registers_json(const struct register_dump *dump)
{
    struct json_object *object = json_object_new_object();
    char name[REGISTER_NAME_SIZE], value[24];

    for (uint64_t i = 0; i < dump->count; i++) {
        memcpy(name, dump->rows[i].name, sizeof(name));
        utf8_repair(name);
        snprintf(value, sizeof(value), "0x%" PRIx64, dump->rows[i].value);
        json_add_named_text(&object, name, value);
    }
    return object;
}

/* The bytes at the instruction pointer. */
static struct json_object *instructions_json(const struct register_dump *dump)
{
    struct json_object *object = json_object_new_object();
    char text[2 * REGISTER_DUMP_CODE_MAX + 1] = "", address[24];

    for (uint32_t i = 0; i < dump->code_size; i++)
        snprintf(text + 2 * i, 3, "%02x", dump->code[i]);
    snprintf(address, sizeof(address), "0x%" PRIx64, dump->code_address);
    add_text(&object, "address", address);
    add_text(&object, "bytes", text);
    json_add_unsigned(&object, "bits", dump->code_bits);
    return object;
}

/* Where a CPU stands: registers, and what it would do next. */
static void add_dump(struct json_object **object, const struct register_dump *dump)
{
    json_add(object, "registers", registers_json(dump));
    if (dump->code_size > 0)
        json_add(object, "instructions", instructions_json(dump));
}

struct json_object *record_json_exit(const struct vm_record *record)
{
    struct json_object *object = json_object_new_object();
    const struct guest_end *end = &record->end;

    add_text(&object, "reason", guest_end_reason_to_string(end->reason));
    if (end->reason == GUEST_END_GUEST_EXIT)
        json_add_signed(&object, "code", end->code);
    else
        json_add_null(&object, "code");
    add_text(&object, "message", end->message);
    if (end->reason == GUEST_END_STOPPED || end->reason == GUEST_END_KILLED)
        json_add(&object, "by", peer_json(&record->stopped_by));
    if (end->registers.count > 0)
        add_dump(&object, &end->registers);
    return object;
}

static struct json_object *output_json(const struct vm *vm)
{
    const struct output_ring *ring = vm_ring(vm);
    struct json_object *object = json_object_new_object();

    json_add_unsigned(&object, "first", ring ? output_ring_first(ring) : 0);
    json_add_unsigned(&object, "next", ring ? output_ring_end(ring) : 0);
    json_add_unsigned(&object, "capacity",
                      ring ? atomic_load(&ring->state->capacity) : vm_ring_capacity(vm));
    return object;
}

static struct json_object *input_json(const struct vm *vm)
{
    struct json_object *object = json_object_new_object();

    json_add_unsigned(&object, "queued", vm_input_waiting(vm));
    json_add_unsigned(&object, "capacity", INPUT_QUEUE_CAPACITY);
    json_add_boolean(&object, "ended", vm_input_has_ended(vm));
    return object;
}

/* Nothing where the guest has not written any. */
static void add_post(struct json_object **object, const struct post_codes *codes)
{
    struct json_object *post = json_object_new_object();
    const struct {
        const char *port;
        const struct post_code *code;
    } rows[] = { { "0x80", &codes->port_80 }, { "0x190", &codes->port_190 } };
    uint8_t value;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (post_code_get(rows[i].code, &value))
            json_add_unsigned(&post, rows[i].port, value);
    }
    if (post && json_object_object_length(post) == 0)
        json_object_put(post);
    else
        json_add(object, "post", post);
}

/* What is there only of some VMs. */
static void add_notes(struct json_object **object, const struct vm *vm)
{
    const struct vm_file *file = vm_file(vm);
    char ring_note[NOTE_TEXT_SIZE] = "";
    struct register_dump stands;

    if (vm_record(vm)->machine.note[0])
        add_text(object, "note", vm_record(vm)->machine.note);
    if (file) {
        add_post(object, file->post);
        vm_file_read_ring_note(file, ring_note);
    }
    if (ring_note[0])
        add_text(object, "ring_end", ring_note);
    if (vm_read_paused(vm, &stands)) {
        struct json_object *paused = json_object_new_object();

        add_dump(&paused, &stands);
        json_add(object, "paused", paused);
    }
}

struct json_object *record_json(const struct vm *vm)
{
    const struct vm_record *record = vm_record(vm);
    const struct exit_stats *stats = vm_stats(vm);
    struct json_object *object = json_object_new_object();

    json_add_unsigned(&object, "id", record->id);
    add_text(&object, "name", record->name);
    add_text(&object, "state", vm_state_to_string(vm_state(vm)));
    json_add(&object, "owner", peer_json(&record->owner));
    add_text(&object, "image", record->image);
    json_add_unsigned(&object, "image_size", record->machine.image_size);
    add_text(&object, "format", record->machine.format);
    add_text(&object, "mode", record->machine.mode);
    add_text(&object, "machine", record->machine.machine);
    json_add_unsigned(&object, "cpus", record->cpus);
    json_add_unsigned(&object, "memory", record->machine.memory_bytes);
    record_json_add_time(&object, "created", record->created_ns);
    record_json_add_time(&object, "started", record->started_ns);
    record_json_add_time(&object, "ended", record->ended_ns);
    if (vm_has_ended(vm))
        json_add(&object, "exit", record_json_exit(record));
    else
        json_add_null(&object, "exit");
    json_add(&object, "output", output_json(vm));
    json_add_unsigned(&object, "exits", stats ? counter_get(&stats->exits) : 0);
    json_add_unsigned(&object, "uptime_ns", vm_uptime_ns(vm));
    json_add_unsigned(&object, "paused_ns", vm_paused_ns(vm));
    json_add(&object, "input", input_json(vm));
    add_notes(&object, vm);
    return object;
}

/* Statistics. */

static struct json_object *reasons_json(const struct exit_stats *stats)
{
    struct json_object *object = json_object_new_object();

    for (uint32_t i = 0; i < EXIT_STATS_REASONS; i++) {
        uint64_t count = counter_get(&stats->by_reason[i]);

        if (count > 0)
            json_add_unsigned(&object, exit_reason_to_string(i), count);
    }
    return object;
}

static struct json_object *exits_json(const struct exit_stats *stats)
{
    struct json_object *object = json_object_new_object();

    json_add_unsigned(&object, "total", counter_get(&stats->exits));
    json_add(&object, "by_reason", reasons_json(stats));
    return object;
}

static struct json_object *io_row_json(const struct io_row *row)
{
    struct json_object *object = json_object_new_object();

    add_text(&object, "space", row->space == IO_SPACE_PORT ? "port" : "memory");
    json_add_unsigned(&object, "address", counter_get(&row->address));
    add_text(&object, "direction", row->direction == IO_OUT ? "out" : "in");
    json_add_unsigned(&object, "count", counter_get(&row->count));
    json_add_boolean(&object, "handled", row->handled != 0);
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
            json_append(&array, io_row_json(&stats->io[i]));
    if (array)
        json_object_array_sort(array, busiest_first);
    if (without_row > 0) {
        rest = json_object_new_object();
        json_add_null(&rest, "space");
        json_add_null(&rest, "address");
        json_add_null(&rest, "direction");
        json_add_unsigned(&rest, "count", without_row);
        json_add_null(&rest, "handled");
        json_append(&array, rest);
    }
    return array;
}

/* number: less than 0 for none. */
static void add_hypercall(struct json_object **array, int number, const char *name, uint64_t count)
{
    struct json_object *object = json_object_new_object();

    if (number >= 0)
        json_add_signed(&object, "number", number);
    else
        json_add_null(&object, "number");
    add_text(&object, "name", name);
    json_add_unsigned(&object, "count", count);
    json_append(array, object);
}

static struct json_object *hypercalls_json(const struct exit_stats *stats)
{
    struct json_object *array = json_object_new_array();
    uint64_t unknown = counter_get(&stats->unknown_hypercalls);

    for (unsigned i = 0; i < EXIT_STATS_HYPERCALLS; i++) {
        uint64_t count = counter_get(&stats->hypercalls[i]);

        if (count > 0 && hypercall_name(i))
            add_hypercall(&array, (int)i, hypercall_name(i), count);
    }
    if (unknown > 0)
        add_hypercall(&array, -1, "unknown", unknown);
    return array;
}

struct json_object *stats_json(const struct vm *vm)
{
    static const struct exit_stats none; /* of a VM that has no file */
    const struct exit_stats *stats = vm_stats(vm) ? vm_stats(vm) : &none;
    struct json_object *object = json_object_new_object(), *time = json_object_new_object();
    int64_t cpu_ns = vm_cpu_ns(vm);

    json_add_unsigned(&object, "vm", vm_id(vm));
    json_add(&object, "exits", exits_json(stats));
    json_add(&object, "io", io_json(stats));
    json_add(&object, "hypercalls", hypercalls_json(stats));
    json_add_unsigned(&object, "coalesced", counter_get(&stats->coalesced));
    json_add_unsigned(&time, "guest_ns", counter_get(&stats->guest_ns));
    json_add_unsigned(&time, "vmm_ns", counter_get(&stats->vmm_ns));
    if (cpu_ns >= 0)
        json_add_unsigned(&time, "cpu_ns", (uint64_t)cpu_ns);
    json_add(&object, "time", time);
    return object;
}

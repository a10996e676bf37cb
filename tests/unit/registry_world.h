/*
 * Registry world: a registry in a temporary directory, and the loop that it lives in: a daemon
 * without clients.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "memfd.h"
#include "temporary_directory.h"
#include "util/closer.h"
#include "util/work_queue.h"
#include "vm/registry.h"
#include "vm/vm_private.h"

enum { WORLD_DEADLINE_S = 60 };

struct registry_world {
    struct temporary_directory directory;
    struct vm_limits limits;
    struct worker_pool_limits worker_limits;
    const char *worker_binary;
    struct event_base *base;
    struct event *deadline;
    bool late;
    struct closer *closer;
    struct work_queue *queue;
    struct registry *registry;
};

/* No daemon yet; what it may do is bounded by much. worker_binary: constant. */
static inline void registry_world_init(struct registry_world *world, const char *worker_binary)
{
    *world = (struct registry_world){
        .limits = { .max_vms = 100,
                    .memory = 1024 * 1024,
                    .max_memory = 16 * 1024 * 1024,
                    .ring = 4096,
                    .max_ring = 65536,
                    .retain = 100 },
        .worker_limits = { .worker_vms = SLOTS_MAX },
        .worker_binary = worker_binary,
    };
    temporary_directory_init(&world->directory);
}

static inline void registry_world_deinit(struct registry_world *world)
{
    temporary_directory_deinit(&world->directory);
}

static inline void registry_world_is_late(evutil_socket_t fd, short what, void *context)
{
    struct registry_world *world = context;

    (void)fd, (void)what;
    world->late = true;
}

/* A daemon comes. */
static inline void registry_world_start(struct registry_world *world)
{
    static const struct timeval deadline = { .tv_sec = WORLD_DEADLINE_S };
    struct registry_setup setup = {
        .limits = &world->limits,
        .worker_limits = &world->worker_limits,
        .state_dir = world->directory.path,
        .worker_binary = world->worker_binary,
    };
    struct error err;

    world->base = setup.base = event_base_new();
    assert_non_null(world->base);
    world->late = false;
    world->deadline = event_new(world->base, -1, 0, registry_world_is_late, world);
    assert_non_null(world->deadline);
    assert_int_equal(event_add(world->deadline, &deadline), 0);
    assert_int_equal(closer_new(&world->closer), 0);
    assert_int_equal(work_queue_new(&world->queue), 0);
    setup.closer = world->closer;
    setup.work_queue = world->queue;
    if (registry_new(&setup, &world->registry, &err) < 0)
        fail_msg("%s", err.text);
}

/* The daemon goes, as by a signal: its VMs are left to their workers. */
static inline void registry_world_end(struct registry_world *world)
{
    work_queue_free(world->queue); /* files are deleted by it, in the registry's directory */
    registry_free(world->registry);
    closer_free(world->closer);
    event_free(world->deadline);
    event_base_free(world->base);
}

/* One turn of the loop, which waits for something to happen. */
static inline void registry_world_turn(struct registry_world *world)
{
    event_base_loop(world->base, EVLOOP_ONCE);
    assert_false(world->late);
}

/* One turn of the loop, which waits for a moment at most: for what nobody tells of. */
static inline void registry_world_nap(struct registry_world *world)
{
    static const struct timeval moment = { .tv_usec = 2000 };

    event_base_loopexit(world->base, &moment);
    event_base_dispatch(world->base);
    assert_false(world->late);
}

/* The process of its worker, which the daemon may not know yet. */
static inline pid_t registry_world_process_of(struct registry_world *world, const struct vm *vm)
{
    while (vm->worker && worker_pid(vm->worker) == 0)
        registry_world_turn(world);
    assert_non_null(vm->worker);
    return worker_pid(vm->worker);
}

/* Turns the loop until no worker holds a VM any more. */
static inline void registry_world_wait_for_workers(struct registry_world *world)
{
    while (registry_counts(world->registry).held > 0)
        registry_world_turn(world);
}

/* The daemon ends in order, and its VMs with it. */
static inline void registry_world_shut_down(struct registry_world *world)
{
    registry_shut_down(world->registry, false);
    registry_world_wait_for_workers(world);
    assert_int_equal(registry_counts(world->registry).live, 0);
    registry_world_end(world);
}

/* Turns the loop until the VM is in that state. */
static inline void registry_world_wait_for_state(struct registry_world *world, const struct vm *vm,
                                                 enum vm_state vm_state)
{
    while (vm->state != vm_state && !vm_state_is_terminal(vm->state))
        registry_world_turn(world);
    assert_string_equal(vm_state_to_string(vm->state), vm_state_to_string(vm_state));
}

/* Starts a VM of an image that is empty. script: for scripted_worker, as the command line. name:
 * NULL for none. */
static inline int registry_world_ask(struct registry_world *world, const struct vm_peer *owner,
                                     const char *name, const char *script,
                                     const struct definition *definition, struct vm **ret,
                                     struct error *err)
{
    struct vm_request request = VM_REQUEST_NONE;

    request.definition = *definition;
    request.definition.cpus = 1;
    request.named = name != NULL;
    if (name)
        snprintf(request.name, sizeof(request.name), "%s", name);
    request.append = strdup(script);
    request.sources[0] = (struct vm_source){
        .kind = VM_SOURCE_FILE,
        .fd = memfd_of("", 0),
        .name = strdup("a.bin"),
    };
    request.source_count = 1;
    return registry_start_vm(world->registry, &request, owner, NULL, ret, err);
}

/* The same, as a user, and of what there is nothing to refuse. */
static inline struct vm *registry_world_start_vm(struct registry_world *world, uint32_t uid,
                                                 const char *name, const char *script)
{
    static const struct definition usual;
    const struct vm_peer owner = { .uid = uid, .gid = 100, .pid = 4711 };
    struct error err;
    struct vm *vm;

    if (registry_world_ask(world, &owner, name, script, &usual, &vm, &err) < 0)
        fail_msg("%s", err.text);
    return vm;
}

/* Its output is that text, all of it. */
static inline void assert_output(const struct vm *vm, const char *expected)
{
    struct output_chunk chunk;
    char data[256];

    assert_non_null(vm_ring(vm));
    assert_int_equal(output_ring_read(vm_ring(vm), 0, data, sizeof(data), &chunk), 0);
    assert_int_equal(chunk.start, 0);
    assert_int_equal(chunk.length, strlen(expected));
    assert_memory_equal(data, expected, chunk.length);
}

/* Turns the loop until it has printed that text, and nothing else. */
static inline void registry_world_wait_for_output(struct registry_world *world, const struct vm *vm,
                                                  const char *expected)
{
    while (!vm_ring(vm) || output_ring_end(vm_ring(vm)) < strlen(expected)) {
        assert_false(vm_has_ended(vm));
        registry_world_nap(world);
    }
    assert_output(vm, expected);
}

/* The file of a VM of an earlier daemon, which printed "left". */
static inline void registry_world_leave_vm(struct registry_world *world, uint64_t id,
                                           const char *name, enum vm_state vm_state)
{
    struct vm_record record = { .id = id };
    struct vm_file *file;
    struct error err;

    snprintf(record.name, sizeof(record.name), "%s", name);
    if (vm_state_is_terminal(vm_state))
        guest_end_set(&record.end, GUEST_END_HALTED, 0, "the guest halted");
    assert_int_equal(
        vm_file_fill(vm_file_make(world->directory.fd, record.id), &record, 4096, &file, &err), 0);
    output_ring_append(&file->ring, "left", 4);
    atomic_store(file->state, (uint32_t)vm_state);
    vm_file_free(file);
}

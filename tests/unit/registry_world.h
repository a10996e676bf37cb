/*
 * Registry world: a registry in a temporary directory, and the loop that it lives in: a daemon
 * without clients.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

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

/* Turns the loop until no worker holds a VM any more. */
static inline void registry_world_wait_for_workers(struct registry_world *world)
{
    while (registry_counts(world->registry).held > 0)
        registry_world_turn(world);
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

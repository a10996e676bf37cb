/*
 * The registry without KVM: the host has no /dev/kvm, so each VM's start fails on its thread, in
 * earnest. What VMs of earlier daemons were is what is written into the state directory.
 */
#include "unit_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "memfd.h"
#include "temporary_directory.h"
#include "util/log.h"
#include "util/work_queue.h"
#include "vm/registry.h"

enum { DEADLINE_S = 20 };

static const struct vm_peer caller = { .uid = 1000, .gid = 100, .pid = 4711 };

struct world {
    struct temporary_directory directory;
    struct kvm_host host;
    struct vm_limits limits;
    struct event_base *base;
    struct event *deadline;
    bool late;
    struct work_queue *queue;
    struct registry *registry;
};

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct world *world = context;

    (void)fd, (void)what;
    world->late = true;
}

static void start_daemon(struct world *world)
{
    static const struct timeval deadline = { .tv_sec = DEADLINE_S };
    struct error err;

    world->base = event_base_new();
    assert_non_null(world->base);
    world->deadline = event_new(world->base, -1, 0, on_deadline, world);
    assert_non_null(world->deadline);
    assert_int_equal(event_add(world->deadline, &deadline), 0);
    assert_int_equal(work_queue_new(&world->queue), 0);
    if (registry_new(world->base, &world->host, &world->limits, world->queue, world->directory.path,
                     &world->registry, &err) < 0)
        fail_msg("%s", err.text);
}

/* Turns the loop until no VM has a thread any more. */
static void wait_for_threads(struct world *world)
{
    while (registry_counts(world->registry).threads > 0 && !world->late)
        event_base_loop(world->base, EVLOOP_ONCE);
    assert_false(world->late);
}

static void end_daemon(struct world *world)
{
    wait_for_threads(world);
    work_queue_free(world->queue); /* files are deleted by it, in the registry's directory */
    registry_free(world->registry);
    event_free(world->deadline);
    event_base_free(world->base);
}

static int set_up(void **state)
{
    static struct world world;

    log_set_level(LOG_LEVEL_ERROR);
    world = (struct world){
        .host = { .fd = -1 },
        .limits = { .max_vms = 100,
                    .memory = 1024 * 1024,
                    .max_memory = 16 * 1024 * 1024,
                    .ring = 4096,
                    .max_ring = 65536,
                    .retain = 100 },
    };
    temporary_directory_init(&world.directory);
    *state = &world;
    return 0;
}

static int set_up_and_start(void **state)
{
    set_up(state);
    start_daemon(*state);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    temporary_directory_deinit(&world->directory);
    return 0;
}

static int end_and_tear_down(void **state)
{
    end_daemon(*state);
    return tear_down(state);
}

/* name: NULL for none. */
static int start(struct world *world, const char *name, uint64_t memory_bytes,
                 uint64_t ring_capacity, struct vm **ret, struct error *err)
{
    struct vm_config config = VM_CONFIG_NONE;
    int r;

    config.named = name != NULL;
    config.image.name = strdup("");
    config.image.fd = memfd_of("\xf4", 1);
    config.cpus = 1;
    config.memory_bytes = memory_bytes;
    config.ring_capacity = ring_capacity;
    if (name)
        snprintf(config.name, sizeof(config.name), "%s", name);
    r = registry_start_vm(world->registry, &config, &caller, ret, err);
    vm_config_deinit(&config);
    return r;
}

static struct vm *start_vm(struct world *world, const char *name)
{
    struct error err;
    struct vm *vm;

    if (start(world, name, 0, 0, &vm, &err) < 0)
        fail_msg("%s", err.text);
    return vm;
}

static void assert_start_refused(struct world *world, const char *name, uint64_t memory_bytes,
                                 uint64_t ring_capacity, int code, const char *about,
                                 const char *sentence)
{
    struct vm *vm = NULL;
    struct error err;

    assert_int_equal(start(world, name, memory_bytes, ring_capacity, &vm, &err), code);
    assert_string_equal(err.text, sentence);
    if (about)
        assert_string_equal(err.about, about);
    else
        assert_null(err.about);
    assert_null(vm);
}

/* The file of a VM of an earlier daemon, which printed "left". */
static void leave_vm(struct world *world, uint64_t id, const char *name, enum vm_state vm_state)
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

static void write_file(struct world *world, const char *name, const char *text)
{
    int fd = openat(world->directory.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_ids(struct world *world, const uint64_t *ids, size_t count)
{
    size_t i = 0;

    LIST_FOR_EACH(registry_vms(world->registry), link) {
        assert_true(i < count);
        assert_int_equal(LIST_ENTRY(link, struct vm, link)->record.id, ids[i++]);
    }
    assert_int_equal(i, count);
}

/* What earlier daemons left. */

static void vm_that_had_ended_keeps_its_end_and_its_output(void **state)
{
    struct world *world = *state;
    struct output_chunk chunk;
    const struct vm *vm;
    char data[8];

    leave_vm(world, 5, "lab", VM_EXITED);
    start_daemon(world);
    vm = registry_find_id(world->registry, 5);
    assert_non_null(vm);
    assert_int_equal(vm->state, VM_EXITED);
    assert_int_equal(vm->record.end.reason, GUEST_END_HALTED);
    assert_string_equal(vm->record.name, "lab");
    assert_int_equal(output_ring_read(vm_ring(vm), 0, data, sizeof(data), &chunk), 0);
    assert_int_equal(chunk.length, 4);
    assert_memory_equal(data, "left", 4);
    end_daemon(world);
}

static void vm_that_was_live_is_lost(void **state)
{
    static const enum vm_state live[] = { VM_STARTING, VM_RUNNING, VM_PAUSED, VM_STOPPING };
    struct world *world = *state;

    for (unsigned i = 0; i < 4; i++)
        leave_vm(world, i + 1, "lab", live[i]);
    start_daemon(world);
    for (unsigned i = 0; i < 4; i++) {
        const struct vm *vm = registry_find_id(world->registry, i + 1);
        char expected[128];

        snprintf(expected, sizeof(expected),
                 "vmmd ended while this VM was %s; its output is kept up to byte 4",
                 vm_state_to_string(live[i]));
        assert_int_equal(vm->state, VM_LOST);
        assert_int_equal(vm->record.end.reason, GUEST_END_DAEMON_LOST);
        assert_string_equal(vm->record.end.message, expected);
        assert_true(vm->record.ended_ns > 0);
    }
    assert_int_equal(registry_counts(world->registry).live, 0);
    assert_int_equal(registry_counts(world->registry).ended, 4);
    end_daemon(world);
}

static void lost_vm_stays_as_it_was_found(void **state)
{
    struct world *world = *state;
    int64_t ended_ns;

    leave_vm(world, 1, "lab", VM_RUNNING);
    start_daemon(world);
    ended_ns = registry_find_id(world->registry, 1)->record.ended_ns;
    end_daemon(world);

    start_daemon(world);
    assert_int_equal(registry_find_id(world->registry, 1)->state, VM_LOST);
    assert_int_equal(registry_find_id(world->registry, 1)->record.ended_ns, ended_ns);
    end_daemon(world);
}

static void vms_are_listed_by_id_whatever_the_order_of_their_files(void **state)
{
    static const uint64_t ids[] = { 2, 3, 9, 10, 100 };
    struct world *world = *state;

    leave_vm(world, 100, "a", VM_EXITED);
    leave_vm(world, 3, "b", VM_EXITED);
    leave_vm(world, 10, "c", VM_FAILED);
    leave_vm(world, 2, "d", VM_EXITED);
    leave_vm(world, 9, "e", VM_EXITED);
    start_daemon(world);
    assert_ids(world, ids, 5);
    end_daemon(world);
}

static void file_that_was_never_finished_is_deleted(void **state)
{
    struct world *world = *state;

    write_file(world, "7.vm", "");
    start_daemon(world);
    assert_null(registry_find_id(world->registry, 7));
    assert_int_equal(faccessat(world->directory.fd, "7.vm", F_OK, 0), -1);
    end_daemon(world);
}

static void file_that_is_damaged_is_left_alone(void **state)
{
    static char garbage[8192 + 4096 + 1];
    struct world *world = *state;

    memset(garbage, 'x', sizeof(garbage) - 1);
    write_file(world, "7.vm", garbage);
    write_file(world, "notes", "not a VM's");
    start_daemon(world);
    assert_null(registry_find_id(world->registry, 7));
    assert_int_equal(faccessat(world->directory.fd, "7.vm", F_OK, 0), 0);
    assert_int_equal(faccessat(world->directory.fd, "notes", F_OK, 0), 0);
    end_daemon(world);
}

static void ids_go_on_after_the_highest_that_was_given(void **state)
{
    struct world *world = *state;

    write_file(world, "next-id", "41\n");
    start_daemon(world);
    assert_int_equal(start_vm(world, NULL)->record.id, 41);
    assert_int_equal(start_vm(world, NULL)->record.id, 42);
    end_daemon(world);
    start_daemon(world);
    assert_int_equal(start_vm(world, NULL)->record.id, 43);
    end_daemon(world);
}

static void ids_go_on_after_the_files_where_the_counter_is_gone(void **state)
{
    struct world *world = *state;

    leave_vm(world, 77, "lab", VM_EXITED);
    write_file(world, "next-id", "rubbish");
    start_daemon(world);
    assert_int_equal(start_vm(world, NULL)->record.id, 78);
    end_daemon(world);
}

static void more_ended_vms_than_are_retained_are_retired_oldest_first(void **state)
{
    static const uint64_t ids[] = { 3, 4 };
    struct world *world = *state;

    for (uint64_t id = 1; id <= 4; id++)
        leave_vm(world, id, "lab", VM_EXITED);
    world->limits.retain = 2;
    start_daemon(world);
    assert_ids(world, ids, 2);
    end_daemon(world);
    assert_int_equal(faccessat(world->directory.fd, "2.vm", F_OK, 0), -1);
    assert_int_equal(faccessat(world->directory.fd, "3.vm", F_OK, 0), 0);
}

/* Starting. */

static void vm_that_kvm_cannot_make_fails_and_stays_listed(void **state)
{
    struct world *world = *state;
    struct vm *vm = start_vm(world, "lab");

    assert_int_equal(vm->state, VM_STARTING);
    assert_int_equal(registry_counts(world->registry).live, 1);
    wait_for_threads(world);
    assert_int_equal(vm->state, VM_FAILED);
    assert_int_equal(vm->outcome.start_error, -ENODEV);
    assert_int_equal(vm->record.end.reason, GUEST_END_ERROR);
    /* what comes after it is KVM's word, or QEMU's in its user-mode emulation */
    assert_memory_equal(vm->record.end.message, "KVM_CREATE_VM: ", 15);
    assert_int_equal(vm->record.started_ns, 0);
    assert_true(vm->record.ended_ns >= vm->record.created_ns);
    assert_int_equal(vm->record.owner.pid, caller.pid);
    assert_ptr_equal(registry_find(world->registry, "lab"), vm);
    assert_int_equal(registry_counts(world->registry).live, 0);
    assert_int_equal(registry_counts(world->registry).ended, 1);
}

static void many_vms_may_start_and_fail_at_once(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 50; i++)
        start_vm(world, NULL);
    wait_for_threads(world);
    assert_int_equal(registry_counts(world->registry).ended, 50);
    LIST_FOR_EACH(registry_vms(world->registry), link)
        assert_int_equal(LIST_ENTRY(link, struct vm, link)->state, VM_FAILED);
}

static void what_is_left_out_is_as_configured_and_sizes_are_rounded_up(void **state)
{
    struct world *world = *state;
    const struct vm *vm = start_vm(world, NULL);
    struct vm *rounded;
    struct error err;

    assert_int_equal(vm->config.memory_bytes, world->limits.memory);
    assert_int_equal(vm->config.ring_capacity, world->limits.ring);
    assert_int_equal(start(world, NULL, 65537, 4097, &rounded, &err), 0);
    assert_int_equal(rounded->config.memory_bytes, 65536 + 4096);
    assert_int_equal(rounded->config.ring_capacity, 8192);
}

static void vm_without_a_name_gets_one_of_its_id(void **state)
{
    struct world *world = *state;

    assert_string_equal(start_vm(world, NULL)->record.name, "vm1");
    assert_string_equal(start_vm(world, "vm3")->record.name, "vm3");
    assert_string_equal(start_vm(world, NULL)->record.name, "vm3.2");
}

static void name_may_be_any_of_the_documented_ones(void **state)
{
    static const char *const names[] = {
        "a",
        "Z",
        "0a",
        "1.",
        "a_b.c-d",
        "vm1",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_string_equal(start_vm(*state, names[i])->record.name, names[i]);
}

static void any_other_name_is_refused(void **state)
{
    static const char *const names[] = {
        "",
        " ",
        "1",
        "123",
        "-a",
        ".a",
        "_a",
        "a b",
        "a/b",
        "a\n",
        "\xc3\xa4",
        "a\xff",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    };
    char sentence[256];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(sentence, sizeof(sentence),
                 "name '%s' is not one a VM can have: letters, digits, '_', '.' and '-', a letter "
                 "or digit first, at most 64, and not digits only",
                 names[i]);
        assert_start_refused(*state, names[i], 0, 0, -EINVAL, "name", sentence);
    }
}

static void name_of_a_live_vm_is_taken_until_it_ends(void **state)
{
    struct world *world = *state;

    start_vm(world, "lab");
    assert_start_refused(world, "lab", 0, 0, -EEXIST, "name",
                         "VM 1 is starting and has the name 'lab'");
    wait_for_threads(world);
    assert_int_equal(start_vm(world, "lab")->record.id, 2);
}

static void name_means_the_live_vm_then_the_latest_ended_one(void **state)
{
    struct world *world = *state;

    start_vm(world, "lab");
    wait_for_threads(world);
    start_vm(world, "lab");
    wait_for_threads(world);
    assert_int_equal(registry_find(world->registry, "lab")->record.id, 2);
    start_vm(world, "other");
    start_vm(world, "lab");
    assert_int_equal(registry_find(world->registry, "lab")->record.id, 4);
}

static void more_than_the_limits_allow_is_refused_with_the_setting(void **state)
{
    struct world *world = *state;

    assert_start_refused(world, NULL, 16 * 1024 * 1024 + 1, 0, -EDQUOT, "memory",
                         "memory of 16777217 bytes is more than the 16777216 that the setting "
                         "'max-memory' allows");
    assert_start_refused(world, NULL, 0, 65537, -EDQUOT, "ring",
                         "ring of 65537 bytes is more than the 65536 that the setting 'max-ring' "
                         "allows");
    world->limits.max_vms = 1;
    start_vm(world, NULL);
    assert_start_refused(world, NULL, 0, 0, -EDQUOT, NULL,
                         "1 VMs are live, as many as the setting 'max-vms' allows; stop one first");
}

static void image_by_path_needs_an_image_directory(void **state)
{
    struct vm_config config = VM_CONFIG_NONE;
    struct world *world = *state;
    struct vm *vm = NULL;
    struct error err;

    config.image.path = strdup("a.bin");
    assert_int_equal(registry_start_vm(world->registry, &config, &caller, &vm, &err), -EINVAL);
    vm_config_deinit(&config);
    assert_string_equal(err.about, "image");
    assert_string_equal(err.text, "no image directory is configured (setting 'image-dir'): pass "
                                  "the image itself, as a descriptor or as data");
}

static void refused_start_uses_up_no_id(void **state)
{
    struct world *world = *state;

    assert_start_refused(world, NULL, 0, 65537, -EDQUOT, "ring",
                         "ring of 65537 bytes is more than the 65536 that the setting 'max-ring' "
                         "allows");
    assert_int_equal(start_vm(world, NULL)->record.id, 1);
}

static void nothing_starts_while_the_daemon_goes_down(void **state)
{
    struct world *world = *state;

    registry_shut_down(world->registry, &caller);
    assert_start_refused(world, NULL, 0, 0, -ESHUTDOWN, NULL, "vmmd is shutting down");
}

static void vm_stopped_while_it_starts_ends_all_the_same(void **state)
{
    struct world *world = *state;
    struct vm *vm = start_vm(world, "lab");

    vm_stop(vm, GUEST_END_STOPPED, &caller);
    assert_int_equal(vm->state, VM_STOPPING);
    wait_for_threads(world);
    assert_true(vm_state_is_terminal(vm->state));
}

/* Removing. */

static void live_vm_cannot_be_removed(void **state)
{
    struct world *world = *state;
    struct vm *vm = start_vm(world, "lab");
    struct error err;

    assert_int_equal(registry_remove(world->registry, vm, &err), -EBUSY);
    assert_string_equal(err.text, "VM 'lab' is starting; stop it before you remove it");
}

static void removed_vm_is_forgotten_and_its_file_deleted(void **state)
{
    static const uint64_t ids[] = { 2 };
    struct world *world = *state;
    struct error err;

    leave_vm(world, 1, "lab", VM_EXITED);
    leave_vm(world, 2, "lab", VM_EXITED);
    start_daemon(world);
    assert_int_equal(registry_remove(world->registry, registry_find_id(world->registry, 1), &err),
                     0);
    assert_ids(world, ids, 1);
    assert_null(registry_find_id(world->registry, 1));
    assert_int_equal(registry_counts(world->registry).ended, 1);
    end_daemon(world);
    assert_int_equal(faccessat(world->directory.fd, "1.vm", F_OK, 0), -1);
    assert_int_equal(faccessat(world->directory.fd, "2.vm", F_OK, 0), 0);
}

static void vm_that_somebody_holds_outlives_its_removal(void **state)
{
    struct world *world = *state;
    struct output_chunk chunk;
    struct error err;
    struct vm *vm;
    char data[8];

    leave_vm(world, 1, "lab", VM_EXITED);
    start_daemon(world);
    vm = vm_ref(registry_find_id(world->registry, 1));
    assert_int_equal(registry_remove(world->registry, vm, &err), 0);
    assert_true(vm->removed);
    assert_int_equal(output_ring_read(vm_ring(vm), 0, data, sizeof(data), &chunk), 0);
    assert_int_equal(chunk.length, 4);
    vm_unref(vm);
    end_daemon(world);
}

/* Observing. */

struct witness {
    struct vm_observer observer;
    enum vm_state seen[8];
    unsigned count;
};

static void write_down(struct vm_observer *observer, struct vm *vm, unsigned notice)
{
    struct witness *witness = LIST_ENTRY(observer, struct witness, observer);

    if (notice & VM_NOTICE_STATE && witness->count < 8)
        witness->seen[witness->count++] = vm->state;
}

static void observer_of_all_vms_is_told_of_each_state(void **state)
{
    struct witness witness = { .observer = { .notify = write_down } };
    struct world *world = *state;

    registry_observe(world->registry, &witness.observer);
    start_vm(world, "lab");
    wait_for_threads(world);
    vm_unobserve(&witness.observer);
    assert_int_equal(witness.count, 2);
    assert_int_equal(witness.seen[0], VM_STARTING);
    assert_int_equal(witness.seen[1], VM_FAILED);
}

/* A test that starts its daemon itself, and one that finds it started. */
#define directory_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define daemon_test(f)    cmocka_unit_test_setup_teardown(f, set_up_and_start, end_and_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        directory_test(vm_that_had_ended_keeps_its_end_and_its_output),
        directory_test(vm_that_was_live_is_lost),
        directory_test(lost_vm_stays_as_it_was_found),
        directory_test(vms_are_listed_by_id_whatever_the_order_of_their_files),
        directory_test(file_that_was_never_finished_is_deleted),
        directory_test(file_that_is_damaged_is_left_alone),
        directory_test(ids_go_on_after_the_highest_that_was_given),
        directory_test(ids_go_on_after_the_files_where_the_counter_is_gone),
        directory_test(more_ended_vms_than_are_retained_are_retired_oldest_first),
        daemon_test(vm_that_kvm_cannot_make_fails_and_stays_listed),
        daemon_test(many_vms_may_start_and_fail_at_once),
        daemon_test(what_is_left_out_is_as_configured_and_sizes_are_rounded_up),
        daemon_test(vm_without_a_name_gets_one_of_its_id),
        daemon_test(name_may_be_any_of_the_documented_ones),
        daemon_test(any_other_name_is_refused),
        daemon_test(name_of_a_live_vm_is_taken_until_it_ends),
        daemon_test(name_means_the_live_vm_then_the_latest_ended_one),
        daemon_test(more_than_the_limits_allow_is_refused_with_the_setting),
        daemon_test(image_by_path_needs_an_image_directory),
        daemon_test(refused_start_uses_up_no_id),
        daemon_test(nothing_starts_while_the_daemon_goes_down),
        daemon_test(vm_stopped_while_it_starts_ends_all_the_same),
        daemon_test(live_vm_cannot_be_removed),
        directory_test(removed_vm_is_forgotten_and_its_file_deleted),
        directory_test(vm_that_somebody_holds_outlives_its_removal),
        daemon_test(observer_of_all_vms_is_told_of_each_state),
    };

    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}

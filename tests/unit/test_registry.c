/*
 * The registry, with workers of the tests' own (scripted_worker.c), and the daemon's own where that
 * is of interest, which may find a KVM here or none. What VMs of earlier daemons were is what is
 * written into the state directory.
 *
 * Arguments: the paths of scripted_worker and of vmmd-worker.
 */
#include "unit_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry_world.h"
#include "util/log.h"

/* What a worker does that cannot make the VM. */
#define FAILS "fill fail=19 gone"

/* What one does that takes its time. */
#define TAKES_TIME ""

static const struct vm_peer caller = { .uid = 1000, .gid = 100, .pid = 4711 };

/* [const] */
static const char *scripted_worker, *real_worker;

static int set_up_with(void **state, const char *worker_binary)
{
    static struct registry_world world;

    log_set_level(LOG_LEVEL_ERROR);
    registry_world_init(&world, worker_binary);
    *state = &world;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, scripted_worker);
}

static int set_up_and_start(void **state)
{
    set_up(state);
    registry_world_start(*state);
    return 0;
}

static int set_up_and_start_real(void **state)
{
    set_up_with(state, real_worker);
    registry_world_start(*state);
    return 0;
}

static int tear_down(void **state)
{
    registry_world_deinit(*state);
    return 0;
}

/* What is live is stopped before. */
static int end_and_tear_down(void **state)
{
    struct registry_world *world = *state;

    registry_world_shut_down(world);
    return tear_down(state);
}

static struct vm *start(struct registry_world *world, const char *name, const char *script)
{
    return registry_world_start_vm(world, caller.uid, name, script);
}

static void assert_start_refused(struct registry_world *world, const char *name,
                                 uint64_t memory_bytes, uint64_t ring_capacity, int code,
                                 const char *about, const char *sentence)
{
    const struct definition definition = { .memory_bytes = memory_bytes,
                                           .ring_capacity = ring_capacity };
    struct vm *vm = NULL;
    struct error err;

    assert_int_equal(registry_world_ask(world, &caller, name, TAKES_TIME, &definition, &vm, &err),
                     code);
    assert_string_equal(err.text, sentence);
    if (about)
        assert_string_equal(err.about, about);
    else
        assert_null(err.about);
    assert_null(vm);
}

static void write_file(struct registry_world *world, const char *name, const char *text)
{
    int fd = openat(world->directory.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_ids(struct registry_world *world, const uint64_t *ids, size_t count)
{
    size_t i = 0;

    LIST_FOR_EACH(registry_vms(world->registry), link) {
        assert_true(i < count);
        assert_int_equal(vm_id(vm_of_link(link)), ids[i++]);
    }
    assert_int_equal(i, count);
}

/* What earlier daemons left. */

static void vm_that_had_ended_keeps_its_end_and_its_output(void **state)
{
    struct registry_world *world = *state;
    const struct vm *vm;

    registry_world_leave_vm(world, 5, "lab", VM_EXITED);
    registry_world_start(world);
    vm = registry_find_id(world->registry, 5);
    assert_non_null(vm);
    assert_int_equal(vm->state, VM_EXITED);
    assert_int_equal(vm->record.end.reason, GUEST_END_HALTED);
    assert_string_equal(vm->record.name, "lab");
    assert_output(vm, "left");
    registry_world_end(world);
}

static void vm_that_was_live_is_lost(void **state)
{
    static const enum vm_state live[] = { VM_STARTING, VM_RUNNING, VM_PAUSED, VM_STOPPING };
    struct registry_world *world = *state;

    for (unsigned i = 0; i < 4; i++)
        registry_world_leave_vm(world, i + 1, "lab", live[i]);
    registry_world_start(world);
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
    registry_world_end(world);
}

static void lost_vm_stays_as_it_was_found(void **state)
{
    struct registry_world *world = *state;
    int64_t ended_ns;

    registry_world_leave_vm(world, 1, "lab", VM_RUNNING);
    registry_world_start(world);
    ended_ns = registry_find_id(world->registry, 1)->record.ended_ns;
    registry_world_end(world);

    registry_world_start(world);
    assert_int_equal(registry_find_id(world->registry, 1)->state, VM_LOST);
    assert_int_equal(registry_find_id(world->registry, 1)->record.ended_ns, ended_ns);
    registry_world_end(world);
}

static void vms_are_listed_by_id_whatever_the_order_of_their_files(void **state)
{
    static const uint64_t ids[] = { 2, 3, 9, 10, 100 };
    struct registry_world *world = *state;

    registry_world_leave_vm(world, 100, "a", VM_EXITED);
    registry_world_leave_vm(world, 3, "b", VM_EXITED);
    registry_world_leave_vm(world, 10, "c", VM_FAILED);
    registry_world_leave_vm(world, 2, "d", VM_EXITED);
    registry_world_leave_vm(world, 9, "e", VM_EXITED);
    registry_world_start(world);
    assert_ids(world, ids, 5);
    registry_world_end(world);
}

static void file_that_was_never_finished_is_deleted(void **state)
{
    struct registry_world *world = *state;

    write_file(world, "7.vm", "");
    registry_world_start(world);
    assert_null(registry_find_id(world->registry, 7));
    assert_int_equal(faccessat(world->directory.fd, "7.vm", F_OK, 0), -1);
    registry_world_end(world);
}

static void file_that_is_damaged_is_left_alone(void **state)
{
    static char garbage[8192 + 4096 + 1];
    struct registry_world *world = *state;

    memset(garbage, 'x', sizeof(garbage) - 1);
    write_file(world, "7.vm", garbage);
    write_file(world, "notes", "not a VM's");
    registry_world_start(world);
    assert_null(registry_find_id(world->registry, 7));
    assert_int_equal(faccessat(world->directory.fd, "7.vm", F_OK, 0), 0);
    assert_int_equal(faccessat(world->directory.fd, "notes", F_OK, 0), 0);
    registry_world_end(world);
}

static void ids_go_on_after_the_highest_that_was_given(void **state)
{
    struct registry_world *world = *state;

    write_file(world, "next-id", "41\n");
    registry_world_start(world);
    assert_int_equal(start(world, NULL, FAILS)->record.id, 41);
    assert_int_equal(start(world, NULL, FAILS)->record.id, 42);
    registry_world_wait_for_workers(world);
    registry_world_end(world);
    registry_world_start(world);
    assert_int_equal(start(world, NULL, FAILS)->record.id, 43);
    registry_world_wait_for_workers(world);
    registry_world_end(world);
}

static void ids_go_on_after_the_files_where_the_counter_is_gone(void **state)
{
    struct registry_world *world = *state;

    registry_world_leave_vm(world, 77, "lab", VM_EXITED);
    write_file(world, "next-id", "rubbish");
    registry_world_start(world);
    assert_int_equal(start(world, NULL, FAILS)->record.id, 78);
    registry_world_wait_for_workers(world);
    registry_world_end(world);
}

static void more_ended_vms_than_are_retained_are_retired_oldest_first(void **state)
{
    static const uint64_t ids[] = { 3, 4 };
    struct registry_world *world = *state;

    for (uint64_t id = 1; id <= 4; id++)
        registry_world_leave_vm(world, id, "lab", VM_EXITED);
    world->limits.retain = 2;
    registry_world_start(world);
    assert_ids(world, ids, 2);
    registry_world_end(world);
    assert_int_equal(faccessat(world->directory.fd, "2.vm", F_OK, 0), -1);
    assert_int_equal(faccessat(world->directory.fd, "3.vm", F_OK, 0), 0);
}

/* Starting. */

static void assert_failed_and_listed(struct registry_world *world, struct vm *vm)
{
    assert_int_equal(vm->state, VM_FAILED);
    assert_int_equal(vm->record.start_error, -ENODEV);
    assert_int_equal(vm->record.end.reason, GUEST_END_ERROR);
    assert_int_equal(vm->record.started_ns, 0);
    assert_true(vm->record.ended_ns >= vm->record.created_ns);
    assert_int_equal(vm->record.owner.pid, caller.pid);
    assert_ptr_equal(registry_find(world->registry, "lab"), vm);
    assert_int_equal(registry_counts(world->registry).live, 0);
    assert_int_equal(registry_counts(world->registry).ended, 1);
}

static void vm_that_cannot_be_made_fails_and_stays_listed(void **state)
{
    struct registry_world *world = *state;
    struct vm *vm = start(world, "lab", FAILS);

    assert_int_equal(vm->state, VM_STARTING);
    assert_int_equal(registry_counts(world->registry).live, 1);
    registry_world_wait_for_workers(world);
    assert_failed_and_listed(world, vm);
    assert_string_equal(vm->record.end.message, "the script cannot make it");
}

static void vm_that_gets_no_file_fails_and_stays_listed(void **state)
{
    struct registry_world *world = *state;
    struct vm *vm = start(world, "lab", "refuse=19");

    registry_world_wait_for_workers(world);
    assert_failed_and_listed(world, vm);
    assert_string_equal(vm->record.end.message, "the script refuses it");
}

static void many_vms_may_start_and_fail_at_once(void **state)
{
    struct registry_world *world = *state;

    for (int i = 0; i < 50; i++)
        start(world, NULL, FAILS);
    registry_world_wait_for_workers(world);
    assert_int_equal(registry_counts(world->registry).ended, 50);
    LIST_FOR_EACH(registry_vms(world->registry), link)
        assert_int_equal(vm_state(vm_of_link(link)), VM_FAILED);
}

static void what_is_left_out_is_as_configured_and_sizes_are_rounded_up(void **state)
{
    struct registry_world *world = *state;
    const struct definition odd = { .memory_bytes = 65537, .ring_capacity = 4097 };
    const struct vm *vm = start(world, NULL, FAILS);
    struct vm *rounded;
    struct error err;

    assert_int_equal(vm->record.machine.memory_bytes, world->limits.memory);
    assert_int_equal(vm_ring_capacity(vm), world->limits.ring);
    assert_int_equal(registry_world_ask(world, &caller, NULL, FAILS, &odd, &rounded, &err), 0);
    assert_int_equal(rounded->record.machine.memory_bytes, 65536 + 4096);
    assert_int_equal(vm_ring_capacity(rounded), 8192);
}

static void vm_without_a_name_gets_one_of_its_id(void **state)
{
    struct registry_world *world = *state;

    assert_string_equal(start(world, NULL, FAILS)->record.name, "vm1");
    assert_string_equal(start(world, "vm3", FAILS)->record.name, "vm3");
    assert_string_equal(start(world, NULL, FAILS)->record.name, "vm3.2");
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
        assert_string_equal(start(*state, names[i], TAKES_TIME)->record.name, names[i]);
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
    struct registry_world *world = *state;

    vm_stop(start(world, "lab", TAKES_TIME), GUEST_END_STOPPED, &caller);
    assert_start_refused(world, "lab", 0, 0, -EEXIST, "name",
                         "VM 1 is stopping and has the name 'lab'");
    registry_world_wait_for_workers(world);
    assert_int_equal(start(world, "lab", FAILS)->record.id, 2);
}

static void name_means_the_live_vm_then_the_latest_ended_one(void **state)
{
    struct registry_world *world = *state;

    start(world, "lab", FAILS);
    registry_world_wait_for_workers(world);
    start(world, "lab", FAILS);
    registry_world_wait_for_workers(world);
    assert_int_equal(registry_find(world->registry, "lab")->record.id, 2);
    start(world, "other", FAILS);
    start(world, "lab", FAILS);
    assert_int_equal(registry_find(world->registry, "lab")->record.id, 4);
}

static void more_than_the_limits_allow_is_refused_with_the_setting(void **state)
{
    struct registry_world *world = *state;

    assert_start_refused(world, NULL, 16 * 1024 * 1024 + 1, 0, -EDQUOT, "memory",
                         "memory of 16777217 bytes is more than the 16777216 that the setting "
                         "'max-memory' allows");
    assert_start_refused(world, NULL, 0, 65537, -EDQUOT, "ring",
                         "ring of 65537 bytes is more than the 65536 that the setting 'max-ring' "
                         "allows");
    world->limits.max_vms = 1;
    start(world, NULL, FAILS);
    assert_start_refused(world, NULL, 0, 0, -EDQUOT, NULL,
                         "1 VMs are live, as many as the setting 'max-vms' allows; stop one first");
}

static void image_by_path_needs_an_image_directory(void **state)
{
    struct vm_request request = VM_REQUEST_NONE;
    struct registry_world *world = *state;
    struct vm *vm = NULL;
    struct error err;

    request.sources[0] = (struct vm_source){
        .kind = VM_SOURCE_PATH,
        .fd = -1,
        .path = strdup("a.bin"),
        .name = strdup(""),
    };
    request.source_count = 1;
    assert_int_equal(registry_start_vm(world->registry, &request, &caller, NULL, &vm, &err),
                     -EINVAL);
    assert_null(vm);
    assert_string_equal(err.about, "image");
    assert_string_equal(err.text, "no image directory is configured (setting 'image-dir'): pass "
                                  "the image itself, as a descriptor or as data");
}

static void refused_start_uses_up_no_id(void **state)
{
    struct registry_world *world = *state;

    assert_start_refused(world, NULL, 0, 65537, -EDQUOT, "ring",
                         "ring of 65537 bytes is more than the 65536 that the setting 'max-ring' "
                         "allows");
    assert_int_equal(start(world, NULL, FAILS)->record.id, 1);
}

static void nothing_starts_while_the_daemon_goes_down(void **state)
{
    struct registry_world *world = *state;

    registry_shut_down(world->registry, true);
    assert_start_refused(world, NULL, 0, 0, -ESHUTDOWN, NULL, "vmmd is shutting down");
}

static void vm_stopped_while_it_starts_ends_all_the_same(void **state)
{
    struct registry_world *world = *state;
    struct vm *vm = start(world, "lab", TAKES_TIME);

    vm_stop(vm, GUEST_END_STOPPED, &caller);
    assert_int_equal(vm->state, VM_STOPPING);
    registry_world_wait_for_workers(world);
    assert_int_equal(vm->state, VM_EXITED);
    assert_int_equal(vm->record.end.reason, GUEST_END_STOPPED);
    assert_int_equal(vm->record.stopped_by.pid, caller.pid);
}

/* Removing. */

static void live_vm_cannot_be_removed(void **state)
{
    struct registry_world *world = *state;
    struct vm *vm = start(world, "lab", TAKES_TIME);
    struct error err;

    assert_int_equal(registry_remove(world->registry, vm, &err), -EBUSY);
    assert_string_equal(err.text, "VM 'lab' is starting; stop it before you remove it");
}

static void removed_vm_is_forgotten_and_its_file_deleted(void **state)
{
    static const uint64_t ids[] = { 2 };
    struct registry_world *world = *state;
    struct error err;

    registry_world_leave_vm(world, 1, "lab", VM_EXITED);
    registry_world_leave_vm(world, 2, "lab", VM_EXITED);
    registry_world_start(world);
    assert_int_equal(registry_remove(world->registry, registry_find_id(world->registry, 1), &err),
                     0);
    assert_ids(world, ids, 1);
    assert_null(registry_find_id(world->registry, 1));
    assert_int_equal(registry_counts(world->registry).ended, 1);
    registry_world_end(world);
    assert_int_equal(faccessat(world->directory.fd, "1.vm", F_OK, 0), -1);
    assert_int_equal(faccessat(world->directory.fd, "2.vm", F_OK, 0), 0);
}

static void vm_that_somebody_holds_outlives_its_removal(void **state)
{
    struct registry_world *world = *state;
    struct error err;
    struct vm *vm;

    registry_world_leave_vm(world, 1, "lab", VM_EXITED);
    registry_world_start(world);
    vm = vm_ref(registry_find_id(world->registry, 1));
    assert_int_equal(registry_remove(world->registry, vm, &err), 0);
    assert_true(vm->removed);
    assert_output(vm, "left");
    vm_unref(vm);
    registry_world_end(world);
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
    struct registry_world *world = *state;

    registry_observe(world->registry, &witness.observer);
    start(world, "lab", FAILS);
    registry_world_wait_for_workers(world);
    vm_unobserve(&witness.observer);
    assert_int_equal(witness.count, 2);
    assert_int_equal(witness.seen[0], VM_STARTING);
    assert_int_equal(witness.seen[1], VM_FAILED);
}

/* The daemon's own worker, with a KVM or without. */

static void real_worker_refuses_what_is_no_image(void **state)
{
    struct registry_world *world = *state;

    for (int i = 0; i < 50; i++)
        start(world, NULL, "");
    registry_world_wait_for_workers(world);
    assert_int_equal(registry_counts(world->registry).ended, 50);
    LIST_FOR_EACH(registry_vms(world->registry), link) {
        assert_int_equal(vm_state(vm_of_link(link)), VM_FAILED);
        assert_true(vm_record(vm_of_link(link))->start_error < 0);
        assert_int_equal(vm_record(vm_of_link(link))->started_ns, 0);
    }
}

static void vm_of_a_real_worker_that_is_stopped_while_it_starts_ends(void **state)
{
    struct registry_world *world = *state;
    struct vm *vm = start(world, "lab", "");

    vm_stop(vm, GUEST_END_STOPPED, &caller);
    registry_world_wait_for_workers(world);
    assert_true(vm_has_ended(vm));
}

/* A test that starts its daemon itself, and one that finds it started. */
#define directory_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define daemon_test(f)    cmocka_unit_test_setup_teardown(f, set_up_and_start, end_and_tear_down)
#define real_test(f)      cmocka_unit_test_setup_teardown(f, set_up_and_start_real, end_and_tear_down)

int main(int argc, char **argv)
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
        daemon_test(vm_that_cannot_be_made_fails_and_stays_listed),
        daemon_test(vm_that_gets_no_file_fails_and_stays_listed),
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
        real_test(real_worker_refuses_what_is_no_image),
        real_test(vm_of_a_real_worker_that_is_stopped_while_it_starts_ends),
    };

    if (argc != 3)
        return EXIT_FAILURE;
    scripted_worker = argv[1];
    real_worker = argv[2];

    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}

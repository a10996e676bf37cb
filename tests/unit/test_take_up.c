/*
 * A daemon that comes after another, and takes up what its workers run (scripted_worker.c).
 *
 * Argument: the path of scripted_worker.
 */
#include "unit_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "captured_stderr.h"
#include "registry_world.h"
#include "util/log.h"

enum { UID = 1000, BYSTANDER_UID = 2000 };

/* [const] */
static const char *scripted_worker;

static struct registry_world world;

static int begin(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    registry_world_init(&world, scripted_worker);
    registry_world_start(&world);
    return 0;
}

static int end(void **state)
{
    (void)state;
    registry_world_shut_down(&world);
    registry_world_deinit(&world);
    return 0;
}

static struct vm *start(const char *name, const char *script)
{
    return registry_world_start_vm(&world, UID, name, script);
}

static struct vm *find(const char *name)
{
    struct vm *vm = registry_find(world.registry, name);

    assert_non_null(vm);
    return vm;
}

/* The daemon is gone, and another comes. */
static void change_daemons(void)
{
    registry_world_end(&world);
    registry_world_start(&world);
}

/* Until the worker of the VM has told all there is, or is gone. */
static void wait_for_reports(const struct vm *vm)
{
    while (vm->worker && !vm->reported)
        registry_world_turn(&world);
}

static void vm_runs_on_under_the_next_daemon(void **state)
{
    struct vm *vm;
    pid_t pid;

    (void)state;
    vm = start("lab", "run print=one");
    registry_world_wait_for_output(&world, vm, "one");
    pid = registry_world_process_of(&world, vm);

    change_daemons();
    vm = find("lab");
    assert_int_equal(vm->state, VM_RUNNING);
    assert_int_equal(registry_counts(world.registry).live, 1);
    assert_int_equal(registry_counts(world.registry).held, 1);
    wait_for_reports(vm);
    assert_int_equal(vm->state, VM_RUNNING);
    assert_int_equal(registry_world_process_of(&world, vm), pid);
    assert_int_equal(vm->record.owner.uid, UID);
    assert_output(vm, "one");
}

static void vm_that_was_taken_up_can_be_paused_resumed_and_stopped(void **state)
{
    const struct vm_peer caller = { .uid = UID, .pid = 99 };
    struct error err;
    struct vm *vm;

    (void)state;
    vm = start("lab", "run");
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    change_daemons();
    vm = vm_ref(find("lab"));
    wait_for_reports(vm);
    assert_int_equal(vm_pause(vm, &err), 0);
    registry_world_wait_for_state(&world, vm, VM_PAUSED);

    vm_unref(vm);
    change_daemons();
    vm = vm_ref(find("lab"));
    assert_int_equal(vm->state, VM_PAUSED);
    wait_for_reports(vm);
    assert_int_equal(vm_resume(vm, &err), 0);
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    vm_stop(vm, GUEST_END_STOPPED, &caller);
    registry_world_wait_for_state(&world, vm, VM_EXITED);
    assert_int_equal(vm->record.stopped_by.pid, 99);
    vm_unref(vm);
}

/* Until the worker has filled the file of the first VM, of which it does not tell. */
static void wait_for_file(void)
{
    struct vm_file *file = NULL;

    while (!file) {
        int fd = vm_file_open(world.directory.fd, 1);

        (void)vm_file_view(fd, 1, VM_FILE_RING_MAX, &file, NULL);
        close(fd);
        registry_world_nap(&world);
    }
    vm_file_free(file);
}

static void vm_that_runs_before_the_next_daemon_hears_of_it_is_running(void **state)
{
    struct vm *vm;

    (void)state;
    start("lab", "fill sleep=20 begin - greet report");
    wait_for_file();
    change_daemons();
    vm = find("lab");
    wait_for_reports(vm);
    assert_int_equal(vm->state, VM_RUNNING);
    assert_true(vm->record.started_ns > 0);
}

/* Its file was there while its guest was not running yet. */
static void vm_that_was_starting_is_running_once_that_is_told(void **state)
{
    struct vm *vm;

    (void)state;
    start("lab", "fill - greet report sleep=50 begin tell=1");
    wait_for_file();
    change_daemons();
    vm = find("lab");
    assert_non_null(vm->file);
    assert_int_equal(vm->state, VM_STARTING);
    wait_for_reports(vm);
    assert_int_equal(vm->state, VM_STARTING);
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    assert_true(vm->record.started_ns > 0);
}

/* What we tell ourselves is no reason to hear what the worker told: its reports come first. */
static void news_of_our_own_does_not_bring_the_workers_before_its_reports(void **state)
{
    struct vm *vm;

    (void)state;
    vm = start("lab", "run - tell=8 sleep=200 end-in-silence greet report gone");
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    change_daemons();
    vm = vm_ref(find("lab"));
    while (!(atomic_load(&vm->worker->page->slots[vm->slot].news) & SLOT_GONE))
        registry_world_nap(&world);
    worker_add_news(vm->worker, vm->slot, SLOT_ROOM);
    registry_world_nap(&world);
    assert_int_equal(vm->state, VM_RUNNING);
    assert_non_null(vm->worker);
    registry_world_wait_for_state(&world, vm, VM_EXITED);
    registry_world_wait_for_workers(&world);
    vm_unref(vm);
}

static void vm_that_ended_meanwhile_has_its_true_end(void **state)
{
    struct vm *vm;

    (void)state;
    vm = start("lab", "run print=one - end-in-silence print=two greet report");
    registry_world_wait_for_output(&world, vm, "one");
    change_daemons();
    vm = find("lab");
    registry_world_wait_for_state(&world, vm, VM_EXITED);
    assert_string_equal(vm->record.end.message, "the guest halted");
    assert_output(vm, "onetwo");
    worker_kill(vm->worker);
}

static void vm_that_its_worker_has_no_more_is_lost(void **state)
{
    struct vm *vm;

    (void)state;
    vm = start("lab", "run print=one - greet-count=0");
    registry_world_wait_for_output(&world, vm, "one");
    change_daemons();
    vm = find("lab");
    registry_world_wait_for_state(&world, vm, VM_LOST);
    assert_string_equal(vm->record.end.message,
                        "what ran it is gone while it was running: its worker has it no more; its "
                        "output is kept up to byte 3");
    assert_output(vm, "one");
}

static void end_that_its_worker_did_not_write_is_kept(void **state)
{
    struct vm *vm;

    (void)state;
    vm = start("lab", "run print=one tell=4 deaf");
    registry_world_wait_for_state(&world, vm, VM_FAILED);
    worker_kill(vm->worker);
    change_daemons();
    assert_int_equal(find("lab")->state, VM_FAILED);
    assert_string_equal(find("lab")->record.end.message,
                        "it has ended, but what its worker wrote of that makes no sense");
    assert_output(find("lab"), "one");
}

static void vm_whose_worker_is_gone_is_lost(void **state)
{
    struct vm *vm;
    pid_t pid;

    (void)state;
    vm = start("lab", "run print=one");
    registry_world_wait_for_output(&world, vm, "one");
    pid = registry_world_process_of(&world, vm);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    change_daemons();
    vm = find("lab");
    assert_int_equal(vm->state, VM_LOST);
    assert_int_equal(vm->record.end.reason, GUEST_END_WORKER_LOST);
    assert_string_equal(vm->record.end.message,
                        "what ran it is gone while it was running: what ended it is not known: the "
                        "kernel's log and "
                        "the journal may tell; its output is kept up to byte 3");
    assert_output(vm, "one");
    assert_int_equal(registry_counts(world.registry).held, 0);

    change_daemons();
    assert_int_equal(find("lab")->state, VM_LOST);
}

static void worker_that_died_without_a_daemon_leaves_its_last_words_to_all_its_vms(void **state)
{
    static const char *const names[] = { "lab", "other" };
    pid_t pid = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct vm *vm = start(names[i], "run leave-note=sorry print=one");

        registry_world_wait_for_output(&world, vm, "one");
        pid = registry_world_process_of(&world, vm);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    change_daemons();
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(find(names[i])->state, VM_LOST);
        assert_non_null(strstr(find(names[i])->record.end.message, "; its last words: sorry; "));
    }
}

static void worker_that_dies_after_it_was_taken_up_leaves_its_last_words(void **state)
{
    struct vm *vm;

    (void)state;
    vm = start("lab", "run print=one - greet report leave-note=sorry die=6");
    registry_world_wait_for_output(&world, vm, "one");
    change_daemons();
    vm = find("lab");
    registry_world_wait_for_state(&world, vm, VM_LOST);
    /* before or after that daemon has connected to it: it is no child of it, save in this test */
    assert_string_equal(vm->record.end.message,
                        "what ran it is gone while it was running: what ended it is not known: the "
                        "kernel's log and the journal may tell; its last words: sorry; its output "
                        "is kept up to byte 3");
}

/* What contradicts the ledger ends the worker; that of the other user is none of that. */
static void assert_contradiction_ends_the_worker(const char *words, const char *complaint)
{
    struct captured_stderr captured;
    char script[128], log[4096];
    struct vm *vm, *bystander;

    bystander = registry_world_start_vm(&world, BYSTANDER_UID, "bystander", "run print=here");
    registry_world_wait_for_output(&world, bystander, "here");
    snprintf(script, sizeof(script), "run print=one - %s", words);
    vm = start("lab", script);
    registry_world_wait_for_output(&world, vm, "one");

    change_daemons();
    captured_stderr_begin(&captured);
    vm = find("lab");
    while (!vm_has_ended(vm))
        registry_world_turn(&world);
    captured_stderr_end(&captured, log, sizeof(log));
    if (!strstr(log, complaint))
        fail_msg("no '%s' in '%s'", complaint, log);
    assert_int_equal(vm->state, VM_LOST);
    assert_output(vm, "one");
    bystander = find("bystander");
    wait_for_reports(bystander);
    assert_int_equal(bystander->state, VM_RUNNING);
    assert_output(bystander, "here");
    vm_stop(bystander, GUEST_END_STOPPED, &bystander->record.owner);
    registry_world_wait_for_workers(&world);
}

static void report_of_a_vm_that_is_another_workers_ends_the_worker(void **state)
{
    (void)state;
    assert_contradiction_ends_the_worker("greet-count=1 report-stranger=1",
                                         "tells of VM 1, which is none of its, ending it");
}

static void report_of_a_vm_that_nobody_knows_ends_the_worker(void **state)
{
    (void)state;
    assert_contradiction_ends_the_worker("greet-count=2 report report-stranger=77",
                                         "tells of VM 77, which is none of its, ending it");
}

static void report_of_a_slot_that_there_is_not_ends_the_worker(void **state)
{
    (void)state;
    assert_contradiction_ends_the_worker("greet-count=1 report-slot=64",
                                         "reports what makes no sense, ending it");
    assert_contradiction_ends_the_worker("greet-count=1 report-slot=4294967295",
                                         "reports what makes no sense, ending it");
}

static void report_of_a_phase_that_there_is_not_ends_the_worker(void **state)
{
    (void)state;
    assert_contradiction_ends_the_worker("greet-count=1 report-phase=4",
                                         "reports what makes no sense, ending it");
}

static void more_reports_than_were_announced_end_the_worker(void **state)
{
    (void)state;
    assert_contradiction_ends_the_worker("greet-count=1 report report",
                                         "reports what makes no sense, ending it");
}

/* It is not known how to speak to it; what it does with its VMs is to be seen in their files. */
static void worker_of_a_version_that_we_do_not_speak_is_left_alone(void **state)
{
    struct vm *vm, *next;

    (void)state;
    vm = start("lab", "run print=one - greet-version=99 report sleep=50 print=two");
    registry_world_wait_for_output(&world, vm, "one");
    change_daemons();
    vm = find("lab");
    wait_for_reports(vm);
    assert_int_equal(vm->state, VM_RUNNING);
    registry_world_wait_for_output(&world, vm, "onetwo");
    assert_true(vm->worker->tainted);

    next = start("next", "run");
    assert_ptr_not_equal(next->worker, vm->worker);
    registry_world_wait_for_state(&world, next, VM_RUNNING);
}

/* Its socket is there, its VMs are in no ledger. */
static void worker_that_nobody_knows_is_told_to_end(void **state)
{
    struct vm *vm;
    pid_t pid;

    (void)state;
    vm = start("lab", "run");
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    pid = registry_world_process_of(&world, vm);
    registry_world_end(&world);
    assert_int_equal(unlinkat(world.directory.fd, "ledger", 0), 0);
    assert_int_equal(unlinkat(world.directory.fd, "1.vm", 0), 0);
    registry_world_start(&world);
    assert_null(registry_find(world.registry, "lab"));
    for (int i = 0; i < 5000 && kill(pid, 0) == 0 && waitpid(pid, NULL, WNOHANG) != pid; i++)
        registry_world_nap(&world);
    assert_int_equal(kill(pid, 0), -1);
}

static void spare_worker_of_the_daemon_before_ends(void **state)
{
    static pid_t pids[8];
    size_t count = 0;

    (void)state;
    LIST_FOR_EACH(worker_pool_workers(registry_workers(world.registry)), link) {
        const struct worker *worker = LIST_ENTRY(link, struct worker, link);

        while (worker_pid(worker) == 0)
            registry_world_turn(&world);
        if (count < 8)
            pids[count++] = worker_pid(worker);
    }
    assert_int_equal(count, 2);
    change_daemons();
    for (size_t i = 0; i < count; i++) {
        for (int n = 0; n < 5000 && waitpid(pids[i], NULL, WNOHANG) == 0; n++)
            registry_world_nap(&world);
        assert_int_equal(kill(pids[i], 0), -1);
    }
}

int main(int argc, char **argv)
{
#define take_up_test(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        take_up_test(vm_runs_on_under_the_next_daemon),
        take_up_test(vm_that_was_taken_up_can_be_paused_resumed_and_stopped),
        take_up_test(vm_that_runs_before_the_next_daemon_hears_of_it_is_running),
        take_up_test(vm_that_was_starting_is_running_once_that_is_told),
        take_up_test(news_of_our_own_does_not_bring_the_workers_before_its_reports),
        take_up_test(vm_that_ended_meanwhile_has_its_true_end),
        take_up_test(vm_that_its_worker_has_no_more_is_lost),
        take_up_test(end_that_its_worker_did_not_write_is_kept),
        take_up_test(vm_whose_worker_is_gone_is_lost),
        take_up_test(worker_that_died_without_a_daemon_leaves_its_last_words_to_all_its_vms),
        take_up_test(worker_that_dies_after_it_was_taken_up_leaves_its_last_words),
        take_up_test(report_of_a_vm_that_is_another_workers_ends_the_worker),
        take_up_test(report_of_a_vm_that_nobody_knows_ends_the_worker),
        take_up_test(report_of_a_slot_that_there_is_not_ends_the_worker),
        take_up_test(report_of_a_phase_that_there_is_not_ends_the_worker),
        take_up_test(more_reports_than_were_announced_end_the_worker),
        take_up_test(worker_of_a_version_that_we_do_not_speak_is_left_alone),
        take_up_test(worker_that_nobody_knows_is_told_to_end),
        take_up_test(spare_worker_of_the_daemon_before_ends),
    };
#undef take_up_test

    if (argc != 2)
        return EXIT_FAILURE;
    scripted_worker = argv[1];
    return cmocka_run_group_tests_name("take_up", tests, NULL, NULL);
}

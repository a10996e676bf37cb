/*
 * The daemon beside a worker that does what it must not, or dies (scripted_worker.c). Each time
 * another user's VM runs on in its own worker, the user's own VM comes to a proper end, with its
 * output up to there, and the same user can start the next.
 *
 * Argument: the path of scripted_worker.
 */
#include "unit_test.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "captured_stderr.h"
#include "open_descriptors.h"
#include "registry_world.h"
#include "util/bus_error.h"
#include "util/log.h"

enum { BYSTANDER_UID = 2000, UID = 1000 };

/* [const] */
static const char *scripted_worker;

/* How long it takes, after a process was started, until that is known. The linker has all calls of
 * posix_spawn() come here. */
static _Atomic int spawn_delay_ms;

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[],
                       char *const environment[]);
/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[],
                       char *const environment[]);

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[],
                       char *const environment[])
{
    int r = __real_posix_spawn(pid, path, actions, attributes, argv, environment);

    if (spawn_delay_ms > 0)
        poll(NULL, 0, spawn_delay_ms);
    return r;
}

/* A daemon with a VM of somebody else. */
static struct {
    struct registry_world world;
    struct vm *bystander;
} scene;

static int begin(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    registry_world_init(&scene.world, scripted_worker);
    registry_world_start(&scene.world);
    scene.bystander =
        registry_world_start_vm(&scene.world, BYSTANDER_UID, "bystander", "run print=here");
    registry_world_wait_for_output(&scene.world, scene.bystander, "here");
    return 0;
}

static int end(void **state)
{
    (void)state;
    registry_world_shut_down(&scene.world);
    registry_world_deinit(&scene.world);
    return 0;
}

static struct vm *start(const char *script)
{
    return registry_world_start_vm(&scene.world, UID, NULL, script);
}

static void turn(void)
{
    registry_world_turn(&scene.world);
}

/* The others are as they were. */
static void assert_bystander_is_well(void)
{
    assert_int_equal(scene.bystander->state, VM_RUNNING);
    assert_non_null(scene.bystander->worker);
    assert_int_equal(kill(registry_world_process_of(&scene.world, scene.bystander), 0), 0);
    assert_output(scene.bystander, "here");
}

/* And the user can go on. */
static void assert_next_vm_runs(void)
{
    struct vm *vm = start("run print=next");

    registry_world_wait_for_output(&scene.world, vm, "next");
    assert_bystander_is_well();
}

/* The VM's worker is gone, and it is lost for that reason. */
static void assert_lost(struct vm *vm, const char *reason)
{
    registry_world_wait_for_state(&scene.world, vm, VM_LOST);
    assert_null(vm->worker);
    assert_int_equal(vm->record.end.reason, GUEST_END_WORKER_LOST);
    assert_true(vm->record.ended_ns > 0);
    if (strcmp(vm->record.end.message, reason) != 0)
        fail_msg("'%s' is not '%s'", vm->record.end.message, reason);
}

/* What the user's VM does besides ends its worker, and it with it. */
static void assert_ends_its_worker(const char *deed, const char *complaint)
{
    struct captured_stderr captured;
    char script[128], log[4096];
    struct vm *vm;

    snprintf(script, sizeof(script), "run print=before %s", deed);
    captured_stderr_begin(&captured);
    vm = vm_ref(start(script));
    while (!vm_has_ended(vm))
        turn();
    captured_stderr_end(&captured, log, sizeof(log));
    if (!strstr(log, complaint))
        fail_msg("%s: no '%s' in '%s'", deed, complaint, log);
    assert_lost(vm, "what ran it is gone while it was running: it was ended by signal 9 (Killed); "
                    "its output is kept up to byte 6");
    assert_output(vm, "before");
    vm_unref(vm);
    assert_next_vm_runs();
}

/* What it does besides does no harm: it prints on, and ends like any other. */
static void assert_is_of_no_consequence(const char *deed)
{
    char script[128];
    struct vm *vm;

    snprintf(script, sizeof(script), "run print=before %s print=after", deed);
    vm = vm_ref(start(script));
    registry_world_wait_for_output(&scene.world, vm, "beforeafter");
    assert_int_equal(vm->state, VM_RUNNING);
    vm_stop(vm, GUEST_END_STOPPED, &vm->record.owner);
    registry_world_wait_for_state(&scene.world, vm, VM_EXITED);
    vm_unref(vm);
    assert_next_vm_runs();
}

/* The rules of the link. */

static void worker_that_tells_of_a_vm_that_is_not_its_own_is_ended(void **state)
{
    (void)state;
    assert_ends_its_worker("refuse-stranger=1", "tells of VM 1, which is none of its, ending it");
    assert_ends_its_worker("refuse-stranger=999", "tells of VM 999, which is none of its");
}

/* Its process may be so new that we do not know it yet. */
static void worker_that_breaks_the_rules_at_once_is_ended_too(void **state)
{
    struct vm *vm;

    (void)state;
    spawn_delay_ms = 300;
    registry_world_start_vm(&scene.world, 3001, NULL, "run");
    registry_world_start_vm(&scene.world, 3002, NULL, "run");
    vm = vm_ref(start("refuse-stranger=1 hang"));
    assert_int_equal(worker_pid(vm->worker), 0);
    assert_lost(vm, "what ran it is gone while it was starting: it was ended by signal 9 (Killed); "
                    "its output is kept up to byte 0");
    spawn_delay_ms = 0;
    vm_unref(vm);
    assert_next_vm_runs();
}

static void worker_that_reports_unasked_is_ended(void **state)
{
    (void)state;
    assert_ends_its_worker("report-stranger=1", "reports what makes no sense, ending it");
    assert_ends_its_worker("report", "reports what makes no sense, ending it");
}

static void worker_that_greets_twice_is_ended(void **state)
{
    (void)state;
    assert_ends_its_worker("greet", "greets twice, ending it");
}

static void worker_that_sends_a_message_of_another_size_than_it_says_is_ended(void **state)
{
    char no_head[32];

    (void)state;
    snprintf(no_head, sizeof(no_head), "send-short=%zu", sizeof(struct link_log) - 4);
    assert_ends_its_worker("send-short=1", "sends what is no message, ending it");
    assert_ends_its_worker(no_head, "sends what is no message, ending it");
    assert_ends_its_worker("send-large", "sends what is no message, ending it");
}

/* To install them, or to close them, may be to wait for whoever serves that file. */
static void worker_that_sends_descriptors_is_ended_and_has_none_installed(void **state)
{
    size_t before, after;

    (void)state;
    assert_next_vm_runs();
    before = open_descriptors();
    assert_ends_its_worker("send-descriptor", "sends what is no message, ending it");
    after = open_descriptors();
    /* one worker and one VM more than before, at most; 2 would be its descriptors */
    assert_in_range(after, before - 8, before + 8);
}

static void slot_that_there_is_not_is_of_no_consequence(void **state)
{
    (void)state;
    assert_is_of_no_consequence("refuse-slot=64");
    assert_is_of_no_consequence("refuse-slot=4294967295");
    assert_is_of_no_consequence("strand-slot=64");
    assert_is_of_no_consequence("strand-slot=4294967295");
}

static void message_of_a_later_version_is_passed_over(void **state)
{
    (void)state;
    assert_is_of_no_consequence("send-unknown=77 send-unknown=4294967295 send-unknown=0");
    assert_is_of_no_consequence("send-unknown=2"); /* a start, which is not for us */
}

static void message_with_a_field_more_is_read_as_far_as_it_is_known(void **state)
{
    struct captured_stderr captured;
    char log[4096];

    (void)state;
    captured_stderr_begin(&captured);
    assert_is_of_no_consequence("log-longer=hello");
    captured_stderr_end(&captured, log, sizeof(log));
    assert_non_null(strstr(log, "vmmd: error: hello\n"));
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void log_of_a_worker_is_bounded_and_escaped(void **state)
{
    static char log[65536];
    struct captured_stderr captured;

    (void)state;
    captured_stderr_begin(&captured);
    assert_is_of_no_consequence("flood log=afterwards");
    captured_stderr_end(&captured, log, sizeof(log));
    assert_in_range(count_lines(log), 1, 200); /* of 3000: 20 a second */
    for (const char *c = log; *c; c++)
        assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
}

/* The last line that was logged, by whomever. */
static struct {
    enum log_level level;
    uint64_t vm_id;
    char vm_name[VM_NAME_MAX + 8];
    char message[64];
} last_line;

static void keep_line(void *context, const struct log_entry *entry)
{
    (void)context;
    last_line.level = entry->level;
    last_line.vm_id = entry->vm_id;
    snprintf(last_line.vm_name, sizeof(last_line.vm_name), "%s",
             entry->vm_name ? entry->vm_name : "");
    snprintf(last_line.message, sizeof(last_line.message), "%s", entry->message);
}

static void log_by(const char *word)
{
    last_line.message[0] = '\0';
    log_set_sink(keep_line, NULL);
    assert_is_of_no_consequence(word);
    log_set_sink(log_to_stderr, NULL);
}

/* LOG_EMERG is shown to everybody who is logged in. */
static void line_of_a_worker_is_no_more_urgent_than_an_error(void **state)
{
    static const char *const words[] = { "log-level=0", "log-level=1", "log-level=2",
                                         "log-level=3" };

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        log_by(words[i]);
        assert_string_equal(last_line.message, "of that level");
        assert_int_equal(last_line.level, LOG_LEVEL_ERROR);
    }
    log_by("log-level=4294967295"); /* a debug line, which is not shown */
    assert_string_equal(last_line.message, "");
}

static void line_of_a_worker_is_about_none_but_its_own_vms(void **state)
{
    char word[64];

    (void)state;
    snprintf(word, sizeof(word), "log-about=%d", (int)vm_id(scene.bystander));
    log_by(word);
    assert_string_equal(last_line.message, "about it");
    assert_int_equal(last_line.vm_id, 0);
    assert_string_equal(last_line.vm_name, "");

    /* the next one's own, whose name is what the daemon knows */
    snprintf(word, sizeof(word), "log-about=%d", (int)vm_id(scene.bystander) + 3);
    log_by(word);
    assert_int_equal(last_line.vm_id, vm_id(scene.bystander) + 3);
    assert_string_equal(last_line.vm_name, "vm4");
}

/* What is in its files and memory. */

/* All that is asked of a VM, and by nobody believed. */
static void ask_everything(struct vm *vm)
{
    static char data[65536];
    struct register_dump dump;
    struct output_chunk chunk;
    char note[NOTE_TEXT_SIZE];

    vm_uptime_ns(vm);
    vm_paused_ns(vm);
    vm_cpu_ns(vm);
    vm_has_started(vm);
    vm_read_paused(vm, &dump);
    vm_want_times(vm);
    vm_want_room(vm);
    output_ring_first(vm_ring(vm));
    output_ring_read(vm_ring(vm), 0, data, sizeof(data), &chunk);
    vm_file_read_stopped(vm->file, &dump);
    vm_file_read_ring_note(vm->file, note);
    assert_true(strlen(vm_name(vm)) > 0);
}

/* Ends a worker, until the daemon knows. */
static void end_process(pid_t pid)
{
    if (kill(pid, SIGKILL) == 0)
        while (kill(pid, 0) == 0)
            turn();
}

/* Its VM goes on or has ended, but the daemon is well, and it can be ended. The worker has lied,
 * and is used no more. */
static void assert_survived(const char *deed)
{
    char script[256];
    struct vm *vm;
    pid_t pid;

    snprintf(script, sizeof(script), "run print=before sleep=50 %s", deed);
    vm = vm_ref(start(script));
    registry_world_wait_for_state(&scene.world, vm, VM_RUNNING);
    pid = registry_world_process_of(&scene.world, vm);
    vm_watch_output(vm);
    for (int i = 0; i < 200 && !vm_has_ended(vm); i++) {
        event_base_loop(scene.world.base, EVLOOP_NONBLOCK);
        ask_everything(vm);
        usleep(500);
    }
    vm_stop(vm, GUEST_END_STOPPED, &vm->record.owner);
    while (!vm_has_ended(vm) || vm->worker)
        turn();
    ask_everything(vm);
    assert_int_not_equal(vm->record.end.reason, GUEST_END_NONE);
    assert_int_not_equal(vm->record.end.message[0], '\0');
    vm_unwatch_output(vm);
    vm_unref(vm);
    assert_bystander_is_well();
    end_process(pid);
    assert_next_vm_runs();
}

static void nonsense_in_a_vms_file_is_not_believed(void **state)
{
    (void)state;
    assert_survived("scribble=0");
    assert_survived("scribble=255");
    assert_survived("scribble=1");
    assert_survived("scribble-all");
}

static void ring_whose_counters_make_no_sense_is_survived(void **state)
{
    (void)state;
    assert_survived("ring-nonsense=0");
    assert_survived("ring-nonsense=18446744073709551615");
    assert_survived("ring-nonsense=9223372036854775808");
    assert_survived("ring-nonsense=12345");
}

static void times_that_make_no_sense_are_survived(void **state)
{
    (void)state;
    assert_survived("time-nonsense=-9223372036854775808");
    assert_survived("time-nonsense=9223372036854775807");
    assert_survived("time-nonsense=-1");
}

static void every_bell_at_once_is_survived(void **state)
{
    (void)state;
    assert_survived("ring-all-bells sleep=20 ring-all-bells sleep=20 ring-all-bells");
    assert_survived("scribble=255 ring-all-bells");
}

static void end_that_is_told_and_not_written_is_one_all_the_same(void **state)
{
    struct vm *vm;

    (void)state;
    vm = start("run print=before tell=4 deaf");
    registry_world_wait_for_state(&scene.world, vm, VM_FAILED);
    assert_int_equal(vm->record.end.reason, GUEST_END_ERROR);
    assert_string_equal(vm->record.end.message,
                        "it has ended, but what its worker wrote of that makes no sense");
    assert_output(vm, "before");
    worker_kill(vm->worker);
    while (vm->worker)
        turn();
    assert_int_equal(vm->state, VM_FAILED);
    assert_next_vm_runs();
}

static void vm_that_is_told_gone_before_its_end_has_ended(void **state)
{
    struct vm *vm;

    (void)state;
    vm = start("run print=before tell=8");
    registry_world_wait_for_state(&scene.world, vm, VM_FAILED);
    assert_null(vm->worker);
    assert_output(vm, "before");
    assert_bystander_is_well();
}

static void file_that_is_cut_short_is_the_loss_of_that_vm_only(void **state)
{
    struct vm *vm = vm_ref(start("run print=before sleep=50 cut=0 deaf"));
    struct output_chunk chunk;
    uintptr_t address = 0;
    char data[16];

    (void)state;
    (void)bus_error_install(); /* the tests' runner has a handler of its own for each test */
    registry_world_wait_for_state(&scene.world, vm, VM_RUNNING);
    while (!bus_error_take(&address)) {
        event_base_loop(scene.world.base, EVLOOP_NONBLOCK);
        output_ring_read(vm_ring(vm), 0, data, sizeof(data), &chunk);
        vm_uptime_ns(vm);
    }
    registry_handle_cut_file(scene.world.registry, address);
    assert_int_equal(vm->state, VM_STOPPING);
    assert_bystander_is_well();
    worker_kill(vm->worker);
    registry_world_wait_for_state(&scene.world, vm, VM_LOST);
    vm_unref(vm);
    while (bus_error_take(&address))
        ;
    assert_next_vm_runs();
}

/* Where the file is whole up to the ring, its record has why it ended. */
static void vm_whose_file_is_cut_short_ends_for_that_reason(void **state)
{
    struct vm *vm = vm_ref(start("run print=before sleep=50 cut=8192"));
    struct output_chunk chunk;
    uintptr_t address = 0;
    char data[16];

    (void)state;
    (void)bus_error_install();
    registry_world_wait_for_state(&scene.world, vm, VM_RUNNING);
    while (!bus_error_take(&address)) {
        event_base_loop(scene.world.base, EVLOOP_NONBLOCK);
        output_ring_read(vm_ring(vm), 0, data, sizeof(data), &chunk);
    }
    registry_handle_cut_file(scene.world.registry, address);
    registry_world_wait_for_state(&scene.world, vm, VM_EXITED);
    assert_int_equal(vm->record.end.reason, GUEST_END_KILLED);
    assert_string_equal(vm->record.end.message, "somebody cut its state file short");
    vm_unref(vm);
    assert_next_vm_runs();
}

static void vm_whose_file_cannot_be_used_ends_for_that_reason(void **state)
{
    struct vm *vm = vm_ref(start("tell=1"));

    (void)state;
    registry_world_wait_for_state(&scene.world, vm, VM_EXITED);
    assert_int_equal(vm->record.end.reason, GUEST_END_KILLED);
    assert_string_equal(vm->record.end.message, "its state file cannot be used");
    vm_unref(vm);
    assert_next_vm_runs();
}

static void address_that_is_no_files_is_nobodys_loss(void **state)
{
    (void)state;
    registry_handle_cut_file(scene.world.registry, 4096);
    assert_bystander_is_well();
}

/* Dying. */

static const struct {
    const char *script;
    enum vm_state vm_state;
    const char *message;
    const char *output; /* NULL: there is none to read */
} deaths[] = {
    { "die=9", VM_LOST,
      "what ran it is gone while it was starting: it was ended by signal 9 (Killed); its output is "
      "kept up to byte 0",
      NULL },
    { "fill die=11", VM_LOST,
      "what ran it is gone while it was starting: it was ended by signal 11 (Segmentation fault); "
      "its output is kept up to byte 0",
      "" },
    { "fill begin die=6", VM_LOST,
      "what ran it is gone while it was starting: it was ended by signal 6 (Aborted); its output "
      "is "
      "kept up to byte 0",
      "" },
    { "run print=abc sleep=100 exit=3", VM_LOST,
      "what ran it is gone while it was running: it ended with status 3; its output is kept up to "
      "byte 3",
      "abc" },
    { "run print=abc sleep=100 leave-note=sorry\n\xff die=9", VM_LOST,
      "what ran it is gone while it was running: it was ended by signal 9 (Killed); its last "
      "words: "
      "sorry\\x0a\\xff; its output is kept up to byte 3",
      "abc" },
    /* its file has its end, though nobody told */
    { "run print=abc end-in-silence die=9", VM_EXITED, "the guest halted", "abc" },
    { "run print=abc halt die=9", VM_EXITED, "the guest halted", "abc" },
    { "run print=abc halt gone die=9", VM_EXITED, "the guest halted", "abc" },
};

static void vm_whose_worker_dies_has_its_true_end_and_its_output(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
        struct vm *vm = vm_ref(start(deaths[i].script));
        uint64_t number = vm->worker->number;

        registry_world_wait_for_state(&scene.world, vm, deaths[i].vm_state);
        while (vm->worker)
            turn();
        assert_string_equal(vm->record.end.message, deaths[i].message);
        if (deaths[i].output)
            assert_output(vm, deaths[i].output);
        vm_unref(vm);
        while (worker_pool_find(registry_workers(scene.world.registry), number))
            turn(); /* or it would be given the next VM */
        assert_bystander_is_well();
    }
    assert_next_vm_runs();
}

static void all_vms_of_a_worker_that_dies_are_lost_and_no_others(void **state)
{
    struct vm *vms[10];

    (void)state;
    for (size_t i = 0; i < 10; i++)
        vms[i] = vm_ref(start("run print=x"));
    for (size_t i = 0; i < 10; i++)
        registry_world_wait_for_output(&scene.world, vms[i], "x");
    assert_int_equal(kill(registry_world_process_of(&scene.world, vms[0]), SIGKILL), 0);
    for (size_t i = 0; i < 10; i++) {
        registry_world_wait_for_state(&scene.world, vms[i], VM_LOST);
        assert_output(vms[i], "x");
        vm_unref(vms[i]);
    }
    assert_next_vm_runs();
    assert_int_equal(registry_counts(scene.world.registry).held, 2);
}

/* Its link is broken, and what it is doing nobody knows: it is given a moment, and then ended. */
static void worker_that_hangs_up_and_lives_is_ended(void **state)
{
    struct vm *vm = vm_ref(start("run print=abc hang-up"));
    pid_t pid;

    (void)state;
    registry_world_wait_for_state(&scene.world, vm, VM_RUNNING);
    pid = registry_world_process_of(&scene.world, vm);
    assert_lost(vm,
                "what ran it is gone while it was running: it was ended by signal 9 (Killed); its "
                "output is kept up to byte 3");
    assert_int_equal(kill(pid, 0), -1);
    assert_output(vm, "abc");
    vm_unref(vm);
    assert_next_vm_runs();
}

static void nothing_is_started_in_a_worker_that_hung_up(void **state)
{
    struct vm *vm = vm_ref(start("run print=abc hang-up")), *next;

    (void)state;
    registry_world_wait_for_output(&scene.world, vm, "abc");
    for (int i = 0; i < 50 && !worker_is_leaving(vm->worker); i++)
        registry_world_nap(&scene.world);
    assert_true(worker_is_leaving(vm->worker));
    next = start("run");
    assert_ptr_not_equal(next->worker, vm->worker);
    registry_world_wait_for_state(&scene.world, next, VM_RUNNING);
    registry_world_wait_for_state(&scene.world, vm, VM_LOST);
    vm_unref(vm);
}

static void vm_that_is_given_up_ends_and_its_worker_takes_no_more(void **state)
{
    struct vm *hanging = start("run print=abc strand"), *beside;
    struct worker *worker;

    (void)state;
    registry_world_wait_for_state(&scene.world, hanging, VM_EXITED);
    assert_int_equal(hanging->record.end.reason, GUEST_END_KILLED);
    beside = start("run");
    worker = beside->worker;
    assert_false(worker->tainted);
    assert_next_vm_runs();
}

int main(int argc, char **argv)
{
#define scene_test(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        scene_test(worker_that_tells_of_a_vm_that_is_not_its_own_is_ended),
        scene_test(worker_that_breaks_the_rules_at_once_is_ended_too),
        scene_test(worker_that_reports_unasked_is_ended),
        scene_test(worker_that_greets_twice_is_ended),
        scene_test(worker_that_sends_a_message_of_another_size_than_it_says_is_ended),
        scene_test(worker_that_sends_descriptors_is_ended_and_has_none_installed),
        scene_test(slot_that_there_is_not_is_of_no_consequence),
        scene_test(message_of_a_later_version_is_passed_over),
        scene_test(message_with_a_field_more_is_read_as_far_as_it_is_known),
        scene_test(log_of_a_worker_is_bounded_and_escaped),
        scene_test(line_of_a_worker_is_no_more_urgent_than_an_error),
        scene_test(line_of_a_worker_is_about_none_but_its_own_vms),
        scene_test(nonsense_in_a_vms_file_is_not_believed),
        scene_test(ring_whose_counters_make_no_sense_is_survived),
        scene_test(times_that_make_no_sense_are_survived),
        scene_test(every_bell_at_once_is_survived),
        scene_test(end_that_is_told_and_not_written_is_one_all_the_same),
        scene_test(vm_that_is_told_gone_before_its_end_has_ended),
        scene_test(file_that_is_cut_short_is_the_loss_of_that_vm_only),
        scene_test(vm_whose_file_is_cut_short_ends_for_that_reason),
        scene_test(vm_whose_file_cannot_be_used_ends_for_that_reason),
        scene_test(address_that_is_no_files_is_nobodys_loss),
        scene_test(vm_whose_worker_dies_has_its_true_end_and_its_output),
        scene_test(all_vms_of_a_worker_that_dies_are_lost_and_no_others),
        scene_test(worker_that_hangs_up_and_lives_is_ended),
        scene_test(nothing_is_started_in_a_worker_that_hung_up),
        scene_test(vm_that_is_given_up_ends_and_its_worker_takes_no_more),
    };
#undef scene_test

    if (argc != 2)
        return EXIT_FAILURE;
    scripted_worker = argv[1];
    return cmocka_run_group_tests_name("hostile_worker", tests, NULL, NULL);
}

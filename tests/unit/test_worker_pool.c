/*
 * Who gets which worker, and what becomes of those that are not of use (scripted_worker.c); and
 * descriptors that go by the daemon's own worker.
 *
 * Arguments: the paths of scripted_worker and of vmmd-worker.
 */
#include "unit_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "captured_stderr.h"
#include "registry_world.h"
#include "util/clock.h"
#include "util/log.h"

enum { UID = 1000, OTHER_UID = 2000 };

/* [const] */
static const char *scripted_worker, *real_worker;

static struct registry_world world;

/* Time, as the daemon has it: a test can let it pass. The linker has all calls of
 * clock_monotonic_ns() come here. */
static _Atomic int64_t passed_ns;

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int64_t __real_clock_monotonic_ns(void);
/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int64_t __wrap_clock_monotonic_ns(void);

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int64_t __wrap_clock_monotonic_ns(void)
{
    return __real_clock_monotonic_ns() + passed_ns;
}

/* And the one of libevent's timers that is long: what is to come in 10 s comes at once, if so. */
static bool is_hasty;

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __real_event_add(struct event *event, const struct timeval *timeout);
/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_event_add(struct event *event, const struct timeval *timeout);

/* NOLINTNEXTLINE(bugprone-reserved-identifier): ld(1), --wrap */
int __wrap_event_add(struct event *event, const struct timeval *timeout)
{
    static const struct timeval soon = { .tv_usec = 50000 };

    return __real_event_add(event, is_hasty && timeout && timeout->tv_sec == 10 ? &soon : timeout);
}

/* birth: what each new worker does when it is greeted; NULL: what is usual. */
static void begin_with(const char *worker_binary, const char *birth)
{
    log_set_level(LOG_LEVEL_ERROR);
    passed_ns = 0;
    is_hasty = false;
    if (birth)
        assert_int_equal(setenv("SCRIPTED_WORKER", birth, 1), 0);
    else
        assert_int_equal(unsetenv("SCRIPTED_WORKER"), 0);
    registry_world_init(&world, worker_binary);
    registry_world_start(&world);
}

static int begin(void **state)
{
    (void)state;
    begin_with(scripted_worker, NULL);
    return 0;
}

static int begin_real(void **state)
{
    (void)state;
    begin_with(real_worker, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    registry_world_shut_down(&world);
    registry_world_deinit(&world);
    return 0;
}

static struct vm *start(uint32_t uid, const char *script)
{
    return registry_world_start_vm(&world, uid, NULL, script);
}

static struct worker_pool *pool(void)
{
    return registry_receivers(world.registry);
}

static size_t count_workers(enum worker_role role)
{
    size_t count = 0;

    LIST_FOR_EACH(worker_pool_workers(pool()), link)
        count += LIST_ENTRY(link, struct worker, link)->role == role;
    return count;
}

/* Lets a while pass, in the loop: long enough for anything that comes at once. */
static void linger(void)
{
    for (int i = 0; i < 100; i++)
        registry_world_nap(&world);
}

/* Placing. */

static void users_share_no_worker(void **state)
{
    const struct vm *one = start(UID, "run"), *two = start(UID, "run"), *other;

    (void)state;
    other = start(OTHER_UID, "run");
    assert_ptr_equal(one->worker, two->worker);
    assert_int_not_equal(one->slot, two->slot);
    assert_ptr_not_equal(one->worker, other->worker);
    assert_int_equal(one->worker->uid, UID);
    assert_int_equal(other->worker->uid, OTHER_UID);
}

static void worker_is_given_no_more_vms_than_the_setting_allows(void **state)
{
    const struct vm *vms[5];

    (void)state;
    world.worker_limits.worker_vms = 2;
    for (size_t i = 0; i < 5; i++)
        vms[i] = start(UID, "run");
    assert_ptr_equal(vms[0]->worker, vms[1]->worker);
    assert_ptr_equal(vms[2]->worker, vms[3]->worker);
    assert_ptr_not_equal(vms[0]->worker, vms[2]->worker);
    assert_ptr_not_equal(vms[0]->worker, vms[4]->worker);
    assert_int_equal(count_workers(WORKER_RUNS), 3);
}

static void slot_is_given_again_once_its_vm_is_gone(void **state)
{
    struct vm *vm = start(UID, "run"), *next;
    const struct worker *worker = vm->worker;

    (void)state;
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    vm_stop(vm, GUEST_END_STOPPED, &vm->record.owner);
    registry_world_wait_for_workers(&world);
    next = start(UID, "run");
    assert_ptr_equal(next->worker, worker);
    assert_int_equal(next->slot, 0);
}

static void slot_of_a_vm_that_has_ended_is_kept_until_it_is_gone(void **state)
{
    struct vm *vm = start(UID, "run halt sleep=50 gone"), *next;

    (void)state;
    registry_world_wait_for_state(&world, vm, VM_EXITED);
    next = start(UID, "run");
    assert_ptr_equal(next->worker, vm->worker);
    assert_int_equal(next->slot, 1);
    registry_world_wait_for_state(&world, next, VM_RUNNING);
    assert_null(vm->worker);
    assert_int_equal(start(UID, "run")->slot, 0);
}

static void all_slots_of_a_worker_can_be_in_use(void **state)
{
    bool taken[SLOTS_MAX] = { false };
    const struct vm *first = NULL;

    (void)state;
    for (unsigned i = 0; i < SLOTS_MAX; i++) {
        const struct vm *vm = start(UID, "run");

        first = first ? first : vm;
        assert_ptr_equal(vm->worker, first->worker);
        assert_false(taken[vm->slot]);
        taken[vm->slot] = true;
    }
    assert_ptr_not_equal(start(UID, "run")->worker, first->worker);
    LIST_FOR_EACH(registry_vms(world.registry), link)
        registry_world_wait_for_state(&world, vm_of_link(link), VM_RUNNING);
}

/* Spares. */

static void two_workers_stand_ready_and_those_taken_are_replaced(void **state)
{
    (void)state;
    assert_int_equal(count_workers(WORKER_SPARE), 2);
    assert_true(start(UID, "run")->worker->number <= 2);
    assert_true(start(OTHER_UID, "run")->worker->number <= 2);
    linger();
    assert_int_equal(count_workers(WORKER_SPARE), 2);
    assert_int_equal(count_workers(WORKER_RUNS), 2);
}

static void worker_that_is_empty_for_a_while_is_let_go(void **state)
{
    const struct vm_peer *owner;
    struct vm *vm = start(UID, "run");
    pid_t pid;

    (void)state;
    owner = &vm->record.owner;
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    pid = registry_world_process_of(&world, vm);
    vm_stop(vm, GUEST_END_STOPPED, owner);
    registry_world_wait_for_workers(&world);
    linger();
    assert_int_equal(count_workers(WORKER_RUNS), 1);

    is_hasty = true;
    vm = start(UID, "run halt gone");
    registry_world_wait_for_workers(&world);
    while (count_workers(WORKER_RUNS) > 0 || kill(pid, 0) == 0)
        registry_world_turn(&world);
    assert_int_equal(count_workers(WORKER_SPARE), 2);
}

static void worker_with_a_vm_is_not_let_go(void **state)
{
    struct vm *vm;

    (void)state;
    is_hasty = true;
    vm = start(UID, "run");
    start(UID, "run halt gone");
    linger();
    assert_int_equal(vm->state, VM_RUNNING);
    assert_int_equal(count_workers(WORKER_RUNS), 1);
}

/* Those that do not come to be of use. */

static void assert_workers_give_up(const char *worker_binary, const char *birth,
                                   const char *complaint, const char *reason)
{
    static char log[65536];
    struct captured_stderr captured;
    uint64_t last = 0;
    struct vm *vm;

    captured_stderr_begin(&captured);
    begin_with(worker_binary, birth);
    while (count_workers(WORKER_SPARE) > 0)
        registry_world_nap(&world);
    linger();
    /* not one after the other for ever: another one is tried when there is a use for it */
    assert_int_equal(count_workers(WORKER_SPARE), 0);
    vm = start(UID, "run");
    last = vm->worker->number;
    assert_in_range(last, 3, 6);
    registry_world_wait_for_state(&world, vm, VM_LOST);
    if (!strstr(vm->record.end.message, reason))
        fail_msg("no '%s' in '%s'", reason, vm->record.end.message);
    end(NULL);
    captured_stderr_end(&captured, log, sizeof(log));
    if (!strstr(log, complaint))
        fail_msg("no '%s' in '%s'", complaint, log);
}

static void worker_that_is_not_there_is_not_tried_for_ever(void **state)
{
    (void)state;
    assert_workers_give_up("/nonexistent/vmmd-worker", NULL,
                           "cannot start '/nonexistent/vmmd-worker': No such file or directory",
                           "cannot start '/nonexistent/vmmd-worker': No such file or directory");
}

static void worker_that_ends_at_once_is_not_tried_for_ever(void **state)
{
    (void)state;
    assert_workers_give_up("/bin/false", NULL, "is gone: it ended with status 1",
                           "it ended with status 1");
    assert_workers_give_up(scripted_worker, "die=9", "it was ended by signal 9 (Killed)",
                           "it was ended by signal 9 (Killed)");
}

/* As after an upgrade of which the daemon knows nothing. */
static void new_worker_of_a_version_that_we_do_not_speak_is_of_no_use(void **state)
{
    (void)state;
    assert_workers_give_up(scripted_worker, "greet-version=99",
                           "is gone: it was ended by signal 9 (Killed)",
                           "it was ended by signal 9 (Killed)");
}

static void greeting_of_nonsense_is_read_as_far_as_it_can_be(void **state)
{
    const struct link_worker_greeting *greeting;

    (void)state;
    begin_with(scripted_worker, "greet-nonsense");
    while (!(greeting = worker_pool_greeting(pool())))
        registry_world_turn(&world);
    assert_int_equal(greeting->capability_count, LINK_KVM_ROWS_MAX);
    assert_int_equal(strlen(greeting->architecture), sizeof(greeting->architecture) - 1);
    assert_int_equal(strspn(greeting->architecture, "?"), sizeof(greeting->architecture) - 1);
    assert_int_equal(strlen(greeting->capabilities[LINK_KVM_ROWS_MAX - 1].name),
                     LINK_KVM_NAME_SIZE - 1);
    registry_world_wait_for_state(&world, start(UID, "run"), VM_RUNNING);
    end(NULL);
}

/* Silence. */

struct witness {
    struct vm_observer observer;
    unsigned silences;
};

static void count_silences(struct vm_observer *observer, struct vm *vm, unsigned notice)
{
    (void)vm;
    if (notice & VM_NOTICE_SILENT)
        LIST_ENTRY(observer, struct witness, observer)->silences++;
}

static void worker_that_does_not_answer_is_silent_and_gets_no_more(void **state)
{
    struct witness witness = { .observer = { .notify = count_silences } };
    struct captured_stderr captured;
    struct vm *vm, *next;
    char log[1024];

    (void)state;
    vm = vm_ref(start(UID, "run hang"));
    vm_observe(vm, &witness.observer);
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    linger();
    assert_false(vm_is_silent(vm));
    assert_int_equal(witness.silences, 0);

    passed_ns += 5 * CLOCK_NS_PER_SEC;
    captured_stderr_begin(&captured);
    log_set_level(LOG_LEVEL_WARNING);
    while (!vm_is_silent(vm))
        registry_world_turn(&world);
    log_set_level(LOG_LEVEL_ERROR);
    captured_stderr_end(&captured, log, sizeof(log));
    assert_non_null(strstr(log, "uid 1000) does not answer\n"));
    assert_int_equal(witness.silences, 1);

    next = start(UID, "run");
    assert_ptr_not_equal(next->worker, vm->worker);
    registry_world_wait_for_state(&world, next, VM_RUNNING);
    assert_int_equal(vm->state, VM_RUNNING);
    worker_kill(vm->worker);
    registry_world_wait_for_state(&world, vm, VM_LOST);
    vm_unobserve(&witness.observer);
    vm_unref(vm);
}

static void worker_that_answers_again_is_not_silent_any_more(void **state)
{
    struct witness witness = { .observer = { .notify = count_silences } };
    struct vm *vm;

    (void)state;
    vm = vm_ref(start(UID, "run sleep=1500"));
    vm_observe(vm, &witness.observer);
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    passed_ns += 5 * CLOCK_NS_PER_SEC;
    while (!vm_is_silent(vm))
        registry_world_turn(&world);
    while (vm_is_silent(vm))
        registry_world_turn(&world);
    assert_int_equal(witness.silences, 2);
    assert_ptr_equal(start(UID, "run")->worker, vm->worker);
    vm_unobserve(&witness.observer);
    vm_unref(vm);
}

static void worker_of_which_nothing_was_asked_is_not_silent(void **state)
{
    struct vm *vm;

    (void)state;
    vm = start(UID, "run");
    registry_world_wait_for_state(&world, vm, VM_RUNNING);
    linger();
    passed_ns += 60 * CLOCK_NS_PER_SEC;
    vm_want_times(vm);
    linger();
    assert_false(vm_is_silent(vm));
}

/* Receiving: by the daemon's own worker. */

struct receipt {
    bool done;
    bool failed;
};

static void on_received(void *context, bool failed)
{
    *(struct receipt *)context = (struct receipt){ .done = true, .failed = failed };
}

/* A client, which sent `length` bytes with that descriptor; the daemon's end of it. */
static int make_client(int fd, size_t length, int *ret_client)
{
    static const char bytes[64];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    int ends[2];

    *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS,
                           .cmsg_len = CMSG_LEN(sizeof(int)) };
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(sendmsg(ends[1], &message, 0), length);
    *ret_client = ends[1];
    return ends[0];
}

/* Has ten bytes of a client taken. */
static struct delivery *receive(int fd, uint64_t until, struct receipt *receipt)
{
    struct delivery *delivery;
    struct error err;

    assert_int_equal(
        worker_pool_receive(pool(), UID, 7, fd, 10, until, on_received, receipt, &delivery, &err),
        0);
    return delivery;
}

static void wait_for_receipt(const struct receipt *receipt)
{
    while (!receipt->done)
        registry_world_turn(&world);
}

/* What a VM's worker gets as a source; the caller closes *ret_fd, which is -1 for none. */
static void take_source(int supply, struct link_source *ret, int *ret_fd)
{
    static struct link_message message;
    int r;

    while ((r = link_receive(supply, &message)) == -EAGAIN)
        registry_world_nap(&world);
    assert_int_equal(r, 0);
    link_message_read(&message, ret, sizeof(*ret));
    *ret_fd = link_message_take_fd(&message, 0);
    link_message_release(&message);
}

static void descriptor_of_a_client_comes_to_who_makes_the_vm(void **state)
{
    struct receipt receipt = { .done = false };
    int client, ours, supply[2], fd, image = memfd_of("image", 5);
    struct delivery *delivery;
    struct link_source source;
    struct error err;
    char data[8];

    (void)state;
    ours = make_client(image, 10, &client);
    close(image);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, supply), 0);
    delivery = receive(ours, 10, &receipt);
    wait_for_receipt(&receipt);
    assert_false(receipt.failed);
    assert_int_equal(count_workers(WORKER_RECEIVES), 1);
    assert_int_equal(recv(ours, data, sizeof(data), MSG_DONTWAIT), -1); /* it took the bytes */

    assert_int_equal(delivery_supply(delivery, 3, supply[0], &err), 0);
    take_source(supply[1], &source, &fd);
    assert_int_equal(source.head.type, LINK_SOURCE);
    assert_int_equal(source.source, 3);
    assert_int_equal(source.error, 0);
    assert_int_equal(pread(fd, data, sizeof(data), 0), 5);
    assert_memory_equal(data, "image", 5);
    close(fd);

    /* it was the only one */
    assert_int_equal(delivery_supply(delivery, 4, supply[0], &err), 0);
    take_source(supply[1], &source, &fd);
    assert_int_equal(source.error, -EINVAL);
    assert_int_equal(fd, -1);
    delivery_forget(delivery, 10);
    close(supply[0]);
    close(supply[1]);
    close(client);
    close(ours);
}

/* Neither when it is forgotten before it was taken nor after. */
static void descriptor_that_nobody_asked_for_is_not_the_next_ones(void **state)
{
    static const char *const contents[] = { "none", "nor1", "this" };
    struct delivery *delivery = NULL;
    struct link_source source;
    int supply[2], fd;
    struct error err;
    char data[4];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, supply), 0);
    for (uint64_t i = 0; i < 3; i++) {
        struct receipt receipt = { .done = false };
        int client, image = memfd_of(contents[i], 4), ours = make_client(image, 10, &client);
        uint64_t until = 10 * (i + 1);

        delivery = receive(ours, until, &receipt);
        if (i == 0)
            delivery_forget(delivery, until);
        wait_for_receipt(&receipt);
        if (i == 1) { /* it was asked for, and that could not be told */
            assert_int_equal(delivery_supply(delivery, 0, -1, &err), -EAGAIN);
            delivery_forget(delivery, until);
        }
        close(image);
        close(client);
        close(ours);
    }
    assert_int_equal(delivery_supply(delivery, 0, supply[0], &err), 0);
    take_source(supply[1], &source, &fd);
    assert_int_equal(pread(fd, data, sizeof(data), 0), 4);
    assert_memory_equal(data, "this", 4);
    delivery_forget(delivery, 30);
    close(fd);
    close(supply[0]);
    close(supply[1]);
}

static void client_that_is_gone_fails_to_be_received(void **state)
{
    struct receipt receipt = { .done = false };
    struct delivery *delivery;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[1]);
    delivery = receive(ends[0], 10, &receipt);
    wait_for_receipt(&receipt);
    assert_true(receipt.failed);
    delivery_forget(delivery, 10);
    close(ends[0]);
}

/* The latest of them. */
static struct worker *receiver(void)
{
    struct worker *latest = NULL;

    LIST_FOR_EACH(worker_pool_workers(pool()), link) {
        struct worker *worker = LIST_ENTRY(link, struct worker, link);

        if (worker->role == WORKER_RECEIVES && (!latest || worker->number > latest->number))
            latest = worker;
    }
    assert_non_null(latest);
    return latest;
}

static void delivery_of_a_receiver_that_dies_fails(void **state)
{
    struct receipt receipt = { .done = false };
    struct delivery *delivery;
    int ends[2];
    struct error err;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    delivery = receive(ends[0], 10, &receipt);
    worker_kill(receiver());
    wait_for_receipt(&receipt);
    assert_true(receipt.failed);
    assert_int_equal(delivery_supply(delivery, 0, ends[1], &err), -EAGAIN);
    assert_string_equal(err.text, "what received the descriptor is gone: send it again");
    delivery_forget(delivery, 10);
    close(ends[0]);
    close(ends[1]);
}

static void delivery_that_is_ignored_tells_nobody(void **state)
{
    struct receipt receipt = { .done = false };
    int client, ours, image = memfd_of("image", 5);
    struct delivery *delivery;

    (void)state;
    ours = make_client(image, 10, &client);
    delivery = receive(ours, 10, &receipt);
    delivery_ignore(delivery);
    delivery_forget(delivery, 10);
    while (!list_is_empty(&receiver()->deliveries))
        registry_world_turn(&world);
    assert_false(receipt.done);
    close(image);
    close(client);
    close(ours);
}

/* One that hangs in a file counts against its user, and against nobody else. */
static void user_whose_receivers_hang_gets_no_more_than_so_many(void **state)
{
    struct delivery *deliveries[4], *other;
    int ends[2];
    struct error err;

    (void)state;
    begin_with(scripted_worker, "greet hang");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            worker_pool_receive(pool(), UID, 7, ends[0], 10, 10, NULL, NULL, &deliveries[i], &err),
            0);
        assert_int_equal(count_workers(WORKER_RECEIVES), i + 1);
        while (!worker_has_greeted(receiver()))
            registry_world_turn(&world);
        passed_ns += 6 * CLOCK_NS_PER_SEC;
        while (!worker_is_silent(receiver()))
            registry_world_turn(&world);
    }
    assert_int_equal(worker_pool_receive(pool(), UID, 7, ends[0], 10, 10, NULL, NULL, &other, &err),
                     -EAGAIN);
    assert_string_equal(err.text,
                        "what receives descriptors for uid 1000 hangs in files that it was sent, 4 "
                        "processes of it: as many as one user may have");
    assert_int_equal(
        worker_pool_receive(pool(), OTHER_UID, 8, ends[0], 10, 10, NULL, NULL, &other, &err), 0);
    delivery_forget(other, 10);
    for (size_t i = 0; i < 4; i++)
        delivery_forget(deliveries[i], 10);
    LIST_FOR_EACH(worker_pool_workers(pool()), link)
        worker_kill(LIST_ENTRY(link, struct worker, link));
    while (count_workers(WORKER_RECEIVES) > 0)
        registry_world_turn(&world);
    end(NULL);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
#define scripted_test(f) cmocka_unit_test_setup_teardown(f, begin, end)
#define real_test(f)     cmocka_unit_test_setup_teardown(f, begin_real, end)
    const struct CMUnitTest tests[] = {
        scripted_test(users_share_no_worker),
        scripted_test(worker_is_given_no_more_vms_than_the_setting_allows),
        scripted_test(slot_is_given_again_once_its_vm_is_gone),
        scripted_test(slot_of_a_vm_that_has_ended_is_kept_until_it_is_gone),
        scripted_test(all_slots_of_a_worker_can_be_in_use),
        scripted_test(two_workers_stand_ready_and_those_taken_are_replaced),
        scripted_test(worker_that_is_empty_for_a_while_is_let_go),
        scripted_test(worker_with_a_vm_is_not_let_go),
        cmocka_unit_test(worker_that_is_not_there_is_not_tried_for_ever),
        cmocka_unit_test(worker_that_ends_at_once_is_not_tried_for_ever),
        cmocka_unit_test(new_worker_of_a_version_that_we_do_not_speak_is_of_no_use),
        cmocka_unit_test(greeting_of_nonsense_is_read_as_far_as_it_can_be),
        scripted_test(worker_that_does_not_answer_is_silent_and_gets_no_more),
        scripted_test(worker_that_answers_again_is_not_silent_any_more),
        scripted_test(worker_of_which_nothing_was_asked_is_not_silent),
        real_test(descriptor_of_a_client_comes_to_who_makes_the_vm),
        real_test(descriptor_that_nobody_asked_for_is_not_the_next_ones),
        real_test(client_that_is_gone_fails_to_be_received),
        real_test(delivery_of_a_receiver_that_dies_fails),
        real_test(delivery_that_is_ignored_tells_nobody),
        cmocka_unit_test(user_whose_receivers_hang_gets_no_more_than_so_many),
    };
#undef scripted_test
#undef real_test

    if (argc != 3)
        return EXIT_FAILURE;
    scripted_worker = argv[1];
    real_worker = argv[2];
    return cmocka_run_group_tests_name("worker_pool", tests, NULL, NULL);
}

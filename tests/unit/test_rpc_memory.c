/*
 * What clients are told where memory runs out: whole lines that are right, or an error that says
 * so, or the end of their connection; and the next client is served as ever.
 *
 * A real server on a real socket, with the VM of an earlier daemon. No VM is started, but a
 * worker has to say what KVM is; the path of vmmd-worker is the first argument.
 */
#include "unit_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <json-c/json.h>

#include "failing_memory.h"
#include "memfd.h"
#include "open_descriptors.h"
#include "protocol/message.h"
#include "rpc/server.h"
#include "temporary_directory.h"
#include "util/closer.h"
#include "util/log.h"
#include "util/work_queue.h"

enum {
    ALLOCATIONS_MAX = 20000,
    ANSWER_MAX = 1024 * 1024,
    KEPT_MAX = 20,      /* blocks: of the threads that close descriptors, and libevent's */
    WAITS_MAX = 200000, /* of a tenth of a millisecond */
    IDLE_TURNS = 3,     /* of the loop, without anything to do: no more is to come */
};

struct world {
    struct temporary_directory directory;
    struct vm_limits vm_limits;
    struct worker_pool_limits worker_limits;
    struct rpc_limits limits;
    struct event_base *base;
    struct closer *closer;
    struct work_queue *queue;
    struct registry *registry;
    struct rpc_server server;
    struct sockaddr_un address;
    size_t descriptors; /* open while nobody is connected */
};

/* [const] vmmd-worker */
static const char *worker_binary;

/* One client, and what it was sent. */
struct client {
    int fd;
    char text[ANSWER_MAX];
    size_t length;
    bool ended;
};

/* A VM that has something of everything that a record and its statistics can have. */
static void leave_vm(struct world *world)
{
    struct vm_record record = { .id = 1, .name = "lab", .image = "lab.bin", .cpus = 1 };
    struct guest_end *end = &record.end;
    struct vm_file *file;
    struct error err;

    snprintf(record.machine.note, sizeof(record.machine.note), "taken as flat");
    record.created_ns = record.started_ns = record.ended_ns = 1;
    guest_end_set(end, GUEST_END_KILLED, 0, "uid 0 killed it");
    register_dump_add(&end->registers, "rip", 0x1000);
    end->registers.code_size = 2;
    end->registers.code_bits = 16;
    assert_int_equal(vm_file_fill(vm_file_make(world->directory.fd, 1), &record, 4096, &file, &err),
                     0);
    output_ring_append(&file->ring, "left \xc3\xa9", 7);
    exit_stats_count_exit(file->stats, 2);
    exit_stats_count_io(file->stats, IO_SPACE_PORT, IO_OUT, 0x3f8, true);
    exit_stats_count_io(file->stats, IO_SPACE_PORT, IO_IN, 0x60, false);
    counter_add(&file->stats->io_without_row, 1);
    counter_add(&file->stats->hypercalls[1], 1);
    counter_add(&file->stats->unknown_hypercalls, 1);
    post_code_set(&file->post->port_80, 1);
    note_set(file->ring_note, "no ring");
    atomic_store(file->state, (uint32_t)VM_EXITED);
    vm_file_free(file);
}

static int listen_at(struct sockaddr_un *address, const char *directory)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address->sun_family = AF_UNIX;
    assert_in_range(snprintf(address->sun_path, sizeof(address->sun_path), "%.80s/s", directory), 1,
                    sizeof(address->sun_path) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static bool all_have_greeted(const struct world *world)
{
    LIST_FOR_EACH(worker_pool_workers(registry_workers(world->registry)), link)
        if (!worker_has_greeted(LIST_ENTRY(link, struct worker, link)))
            return false;
    return true;
}

/* Until the workers that stand ready are there: nothing but the clients' business is to go on then.
 */
static void wait_for_workers(const struct world *world)
{
    while (!worker_pool_greeting(registry_workers(world->registry)) || !all_have_greeted(world))
        event_base_loop(world->base, EVLOOP_ONCE);
}

static void make_registry(struct world *world)
{
    struct registry_setup setup = {
        .base = world->base,
        .limits = &world->vm_limits,
        .worker_limits = &world->worker_limits,
        .state_dir = world->directory.path,
        .worker_binary = worker_binary,
    };
    struct error err;

    assert_int_equal(closer_new(&world->closer), 0);
    assert_int_equal(work_queue_new(&world->queue), 0);
    setup.closer = world->closer;
    setup.work_queue = world->queue;
    assert_int_equal(registry_new(&setup, &world->registry, &err), 0);
    wait_for_workers(world);
}

static int set_up(void **state)
{
    static struct world world;
    int fd;

    log_set_level(LOG_LEVEL_ERROR);
    world = (struct world){
        .vm_limits = { .max_vms = 100,
                       .memory = 1024 * 1024,
                       .max_memory = 16 * 1024 * 1024,
                       .ring = 4096,
                       .max_ring = 65536,
                       .retain = 1 },
        .worker_limits = { .worker_vms = SLOTS_MAX },
        .limits = { .max_connections = 8 },
    };
    temporary_directory_init(&world.directory);
    leave_vm(&world);
    world.base = event_base_new();
    assert_non_null(world.base);
    make_registry(&world);
    fd = listen_at(&world.address, world.directory.path);
    assert_int_equal(rpc_server_init(&world.server, world.base, fd, world.registry, world.closer,
                                     &world.vm_limits, &world.limits),
                     0);
    world.descriptors = open_descriptors();
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    rpc_server_deinit(&world->server);
    work_queue_free(world->queue);
    registry_free(world->registry);
    closer_free(world->closer);
    event_base_free(world->base);
    temporary_directory_deinit(&world->directory);
    return 0;
}

/* What has come for the client; whether anything has. */
static bool receive(struct client *client)
{
    ssize_t n;

    if (client->ended)
        return false;
    assert_true(client->length < ANSWER_MAX);
    n = recv(client->fd, client->text + client->length, ANSWER_MAX - client->length, MSG_DONTWAIT);
    if (n > 0)
        client->length += (size_t)n;
    client->ended = n == 0 || (n < 0 && errno != EAGAIN);
    return n >= 0;
}

/* Turns the loop until nothing more comes for the client. */
static void turn(const struct world *world, struct client *client)
{
    for (int idle = 0; idle < IDLE_TURNS; idle++) {
        event_base_loop(world->base, EVLOOP_NONBLOCK);
        if (receive(client))
            idle = -1;
    }
}

/* Connections are closed on a thread of their own; libevent keeps a block for each number that a
 * descriptor ever had. Those that no thread could be made for wait for the next that is closed. */
static void wait_for_descriptors(const struct world *world)
{
    closer_close(world->closer, memfd_of("", 0));
    for (int i = 0; i < WAITS_MAX && open_descriptors() > world->descriptors; i++)
        usleep(100);
    assert_in_range(open_descriptors(), 1, world->descriptors);
}

/* One client that sends the text and is served while an allocation fails, then without. */
static bool serve(const struct world *world, const char *text, unsigned n, enum failing_memory kind,
                  struct client *client)
{
    size_t length = strlen(text);
    bool failed;

    client->length = 0;
    client->ended = false;
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(client->fd, (struct sockaddr *)&world->address, sizeof(world->address)), 0);
    assert_int_equal(send(client->fd, text, length, MSG_NOSIGNAL), length);
    failing_memory_start(n, kind);
    turn(world, client);
    failed = failing_memory_stop();
    turn(world, client);
    close(client->fd);
    for (int i = 0; i < IDLE_TURNS; i++)
        event_base_loop(world->base, EVLOOP_NONBLOCK);
    assert_int_equal(world->server.context.connection_count, 0);
    assert_int_equal(world->server.context.subscription_count, 0);
    wait_for_descriptors(world);
    return failed;
}

/* Times, pids and ids are others each time: each number becomes "0". */
static void mask_numbers(char *text)
{
    char *out = text;

    for (const char *in = text; *in; in++)
        if (*in < '0' || *in > '9')
            *out++ = *in;
        else if (out == text || out[-1] != '0')
            *out++ = '0';
    *out = '\0';
}

static bool says_out_of_memory(const char *line)
{
    return strstr(line, "\"code\":-0") && strstr(line, "memory");
}

/* Each line is as expected at its place, or an error that says why it is not. */
static void assert_right_as_far_as_it_goes(struct client *client, char *expected, unsigned n)
{
    char *line, *rest = client->text, *expected_rest = expected;

    assert_true(client->length < ANSWER_MAX);
    client->text[client->length] = '\0';
    mask_numbers(client->text);
    if (client->length > 0 && client->text[strlen(client->text) - 1] != '\n')
        fail_msg("allocation %u: '%s' is no whole line", n, client->text);
    while ((line = strsep(&rest, "\n")) && *line) {
        const char *wanted = strsep(&expected_rest, "\n");

        if (says_out_of_memory(line))
            return; /* and what would have come of it does not */
        if (!wanted || strcmp(line, wanted) != 0)
            fail_msg("allocation %u: '%s' instead of '%s'", n, line, wanted ? wanted : "nothing");
    }
    if (expected_rest && *expected_rest && !client->ended)
        fail_msg("allocation %u: no answer '%s', and no end", n, expected_rest);
}

static void assert_served(const struct world *world, const char *text, enum failing_memory kind)
{
    static struct client client;
    char *expected, *copy;
    unsigned n = 0;
    bool failed;
    long held;

    assert_false(serve(world, text, ALLOCATIONS_MAX, kind, &client));
    client.text[client.length] = '\0';
    mask_numbers(client.text);
    if (!strchr(client.text, '\n'))
        fail_msg("'%s' has no answer, even with memory: '%s'", text, client.text);
    expected = strdup(client.text);
    held = failing_memory_held();
    do {
        failed = serve(world, text, n, kind, &client);
        copy = strdup(expected);
        assert_right_as_far_as_it_goes(&client, copy, n);
        free(copy);
        if (failing_memory_held() > held + KEPT_MAX)
            fail_msg("allocation %u of '%.60s': %ld blocks are kept", n, text,
                     failing_memory_held() - held);
    } while (failed && ++n < ALLOCATIONS_MAX);
    assert_in_range(n, 2, ALLOCATIONS_MAX - 1);
    free(expected);
}

#define REQUEST(method, params)                                                                    \
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" method "\",\"params\":" params "}"

/* Not rpc.discover, which takes thousands of allocations, all in json_read() and json_write(). */
static const char *const answered_texts[] = {
    REQUEST("vm.list", "[true]") "\n",
    REQUEST("vm.get", "[1]") "\n",
    REQUEST("vm.stats", "[1]") "\n",
    REQUEST("vm.wait", "[1,1000]") "\n",
    REQUEST("vm.stop", "[1]") "\n",
    REQUEST("vm.output", "[1]") "\n",
    REQUEST("vm.output", "{\"vm\":1,\"encoding\":\"utf-8\"}") "\n",
    REQUEST("daemon.info", "{}") "\n",
};

static const char *const streamed_texts[] = {
    REQUEST("vm.attach", "[1]") "\n",
    REQUEST("vm.attach", "[\"lab\",-3,\"utf-8\"]") "\n",
    REQUEST("events.subscribe", "[]") "\n" REQUEST("events.unsubscribe", "[1]") "\n",
};

static const char *const refused_texts[] = {
    "nonsense\n",
    "{}\n",
    "[]\n",
    REQUEST("vm.nothing", "[]") "\n",
    REQUEST("vm.get", "[2]") "\n",
    REQUEST("vm.get", "[\"nobody\"]") "\n",
    REQUEST("vm.get", "{\"vm\":{\"a\":[1.5,null,\"b\"]}}") "\n",
    REQUEST("vm.output", "{\"vm\":1,\"from\":99}") "\n",
    REQUEST("vm.pause", "[1]") "\n",
    REQUEST("vm.resume", "[1]") "\n",
    REQUEST("vm.input", "[1,\"\"]") "\n",
    REQUEST("vm.input", "[1,\"no base64\"]") "\n",
    REQUEST("vm.detach", "[1]") "\n",
    REQUEST("vm.start", "[{\"data\":\"no base64\"}]") "\n",
    REQUEST("vm.start", "[{\"fd\":true}]") "\n",
    REQUEST("vm.start", "[{\"path\":\"/a\"}]") "\n",
};

static const char *const batches[] = {
    "[" REQUEST("vm.get", "[1]") "," REQUEST("daemon.info", "[]") ",7]\n",
    "[" REQUEST("vm.get", "[1]") "]\n" REQUEST("vm.get", "[1]") "\n",
};

#define ASSERT_ALL_SERVED(world, texts)                                                            \
    for (size_t i_ = 0; i_ < sizeof(texts) / sizeof((texts)[0]); i_++) {                           \
        assert_served(world, (texts)[i_], FAILING_ONCE);                                           \
        assert_served(world, (texts)[i_], FAILING_FROM_THEN);                                      \
    }

static void answers_are_whole_or_the_client_is_dropped(void **state)
{
    ASSERT_ALL_SERVED(*state, answered_texts);
}

static void streams_are_whole_or_the_client_is_dropped(void **state)
{
    ASSERT_ALL_SERVED(*state, streamed_texts);
}

static void errors_are_whole_or_the_client_is_dropped(void **state)
{
    ASSERT_ALL_SERVED(*state, refused_texts);
}

static void batches_are_whole_or_the_client_is_dropped(void **state)
{
    ASSERT_ALL_SERVED(*state, batches);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_whole_or_the_client_is_dropped),
        cmocka_unit_test(streams_are_whole_or_the_client_is_dropped),
        cmocka_unit_test(errors_are_whole_or_the_client_is_dropped),
        cmocka_unit_test(batches_are_whole_or_the_client_is_dropped),
    };

    if (argc != 2)
        return EXIT_FAILURE;
    worker_binary = argv[1];
    return cmocka_run_group_tests_name("rpc_memory", tests, set_up, tear_down);
}

#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "failing_memory.h"
#include "worker/guest.h"

static const struct guest_home home;

/* A guest that was asked for, and that no thread runs yet. */
static struct guest *make_guest(void)
{
    static struct link_message message;
    struct link_start start = {
        .vm = { .id = 7 },
        .definition = { .cpus = 1,
                        .memory_bytes = 65536,
                        .kernel_memory_bytes = 65536,
                        .ring_capacity = 4096 },
        .texts_size = 3, /* no command line, no name, no arguments */
        .name = "lab1",
    };
    struct guest *guest;

    message = (struct link_message){ .size = sizeof(start) + start.texts_size, .fd_count = 2 };
    memcpy(message.bytes, &start, sizeof(start));
    for (size_t i = 0; i < message.fd_count; i++)
        message.fds[i] = eventfd(0, EFD_CLOEXEC); /* whatever: nobody looks at it */
    assert_int_equal(guest_new(&home, &message, &guest), 0);
    return guest;
}

/* While there is no memory. */
static void ask(struct guest *guest, enum request_kind kind, const char *sentence)
{
    struct request request = { .kind = kind, .end.reason = GUEST_END_STOPPED };

    snprintf(request.end.sentence, sizeof(request.end.sentence), "%s", sentence);
    failing_memory_start(0, FAILING_FROM_THEN);
    guest_ask(guest, &request);
    assert_true(failing_memory_stop());
}

static void assert_asked(struct guest *guest, enum request_kind kind, const char *sentence)
{
    struct request *request = request_queue_take(&guest->requests);

    assert_non_null(request);
    assert_int_equal(request->kind, kind);
    assert_string_equal(request->end.sentence, sentence);
    free(request);
    assert_null(request_queue_take(&guest->requests));
}

static void tick(struct guest *guest)
{
    int64_t next_ns = INT64_MAX;

    guest_tick(guest, 0, &next_ns);
}

static void request_without_memory_is_made_later(void **state)
{
    struct guest *guest = make_guest();

    (void)state;
    ask(guest, REQUEST_PAUSE, "");
    assert_null(request_queue_take(&guest->requests));
    tick(guest);
    assert_asked(guest, REQUEST_PAUSE, "");
    tick(guest);
    assert_null(request_queue_take(&guest->requests));
    guest_free(guest);
}

static void end_without_memory_comes_before_all_else(void **state)
{
    struct guest *guest = make_guest();

    (void)state;
    ask(guest, REQUEST_PAUSE, "");
    ask(guest, REQUEST_END, "the first asked");
    ask(guest, REQUEST_END, "the second asked");
    ask(guest, REQUEST_INPUT, "");
    tick(guest);
    assert_asked(guest, REQUEST_END, "the first asked");
    guest_free(guest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_without_memory_is_made_later),
        cmocka_unit_test(end_without_memory_comes_before_all_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

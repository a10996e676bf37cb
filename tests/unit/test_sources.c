/*
 * A guest's files, as they come by real sockets.
 */
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "start_message.h"
#include "temporary_directory.h"
#include "worker/sources.h"

static const struct guest_home home = { .bell_fd = -1, .wake_fd = -1 };

static struct {
    struct link_message message;
    struct guest *guest;
    int supply; /* whoever sends has this; -1: hung up */
} scene;

static void begin(uint32_t flags, uint32_t modules)
{
    struct definition definition = start_definition();

    definition.flags = flags;
    definition.module_count = modules;
    start_message_fill(&scene.message, &definition, &scene.supply);
    assert_int_equal(guest_new(&home, &scene.message, &scene.guest), 0);
}

static void end(void)
{
    guest_free(scene.guest);
    if (scene.supply >= 0)
        close(scene.supply);
}

static void send_source(uint32_t source, int error, const char *text, int fd)
{
    struct link_source message = { .head = LINK_HEAD(LINK_SOURCE, message),
                                   .source = source,
                                   .error = error };

    snprintf(message.text, sizeof(message.text), "%s", text);
    assert_int_equal(link_send(scene.supply, &message, sizeof(message), &fd, fd >= 0), 0);
    if (fd >= 0)
        close(fd);
}

/* A file of `size` bytes. */
static void send_file(uint32_t source, size_t size)
{
    static const char bytes[64];

    send_source(source, 0, "", memfd_of(bytes, size));
}

static struct sources *receive(void)
{
    struct sources *sources = NULL;
    struct error err;

    if (sources_receive(scene.guest, &sources, &err) < 0)
        fail_msg("%s", err.text);
    return sources;
}

static void assert_refused(int code, const char *about, const char *sentence)
{
    struct sources *sources = NULL;
    struct error err = { .text = "" };

    assert_int_equal(sources_receive(scene.guest, &sources, &err), code);
    assert_string_equal(err.text, sentence);
    if (about)
        assert_string_equal(err.about, about);
    else
        assert_null(err.about);
    assert_null(sources);
    assert_int_equal(scene.guest->supply_fd, -1);
}

static void image_alone_is_enough(void **state)
{
    struct sources *sources;

    (void)state;
    begin(0, 0);
    send_file(0, 5);
    sources = receive();
    assert_int_equal(sources->request.image.size, 5);
    assert_string_equal(sources->request.image.name, "source 0");
    assert_string_equal(sources->request.append, "a command line");
    assert_false(sources->request.has_initrd);
    assert_int_equal(sources->request.module_count, 0);
    assert_int_equal(scene.guest->supply_fd, -1); /* nothing more is to come by it */
    sources_free(sources);
    end();
}

static void files_come_to_their_places_in_whatever_order(void **state)
{
    struct sources *sources;

    (void)state;
    begin(DEFINITION_INITRD, 2);
    send_file(3, 3);
    send_file(0, 10);
    send_file(2, 2);
    send_file(1, 1);
    sources = receive();
    assert_int_equal(sources->request.image.size, 10);
    assert_true(sources->request.has_initrd);
    assert_int_equal(sources->request.initrd.size, 1);
    assert_string_equal(sources->request.initrd.name, "source 1");
    assert_int_equal(sources->request.module_count, 2);
    assert_int_equal(sources->request.modules[0].file.size, 2);
    assert_string_equal(sources->request.modules[0].arguments, "arguments 2");
    assert_int_equal(sources->request.modules[1].file.size, 3);
    assert_string_equal(sources->request.modules[1].file.name, "source 3");
    sources_free(sources);
    end();
}

static void as_many_modules_as_there_may_be_are_received(void **state)
{
    struct sources *sources;

    (void)state;
    begin(DEFINITION_INITRD, DEFINITION_MODULES_MAX);
    for (uint32_t i = 0; i < DEFINITION_SOURCES_MAX; i++)
        send_file(i, i);
    sources = receive();
    assert_int_equal(sources->request.modules[DEFINITION_MODULES_MAX - 1].file.size,
                     DEFINITION_SOURCES_MAX - 1);
    sources_free(sources);
    end();
}

static void files_are_closed_with_the_sources(void **state)
{
    struct sources *sources;
    int fd;

    (void)state;
    begin(0, 0);
    send_file(0, 5);
    sources = receive();
    fd = sources->request.image.fd;
    assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    sources_free(sources);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    sources_free(NULL);
    end();
}

static void *send_slowly(void *argument)
{
    (void)argument;
    usleep(150000); /* longer than between two looks */
    send_file(0, 7);
    return NULL;
}

static void file_that_takes_its_time_is_waited_for(void **state)
{
    struct sources *sources;
    pthread_t sender;

    (void)state;
    begin(0, 0);
    assert_int_equal(pthread_create(&sender, NULL, send_slowly, NULL), 0);
    sources = receive();
    assert_int_equal(sources->request.image.size, 7);
    assert_int_equal(pthread_join(sender, NULL), 0);
    sources_free(sources);
    end();
}

/* What does not come, or is no file. */

static void sentence_in_place_of_a_file_is_the_error(void **state)
{
    (void)state;
    begin(DEFINITION_INITRD, 0);
    send_file(0, 1);
    send_source(1, -ENOEXEC, "cannot open 'a' in the image directory: No such file", -1);
    assert_refused(-ENOEXEC, NULL, "cannot open 'a' in the image directory: No such file");
    end();
}

static void descriptor_that_was_not_sent_is_told_of_its_parameter(void **state)
{
    static const struct {
        uint32_t flags, source;
        const char *parameter;
    } rows[] = {
        { 0, 0, "image" },
        { DEFINITION_INITRD, 1, "initrd" },
        { 0, 1, "modules" },
        { DEFINITION_INITRD, 2, "modules" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char sentence[64];

        begin(rows[i].flags, 1);
        send_source(rows[i].source, -EINVAL, "no descriptor came", -1);
        snprintf(sentence, sizeof(sentence), "parameter '%s': no descriptor came",
                 rows[i].parameter);
        assert_refused(-EINVAL, rows[i].parameter, sentence);
        end();
    }
}

static void message_without_a_descriptor_is_told(void **state)
{
    (void)state;
    begin(0, 0);
    send_source(0, 0, "", -1);
    assert_refused(-ENOEXEC, NULL, "the image did not come: there are no descriptors left");
    end();
}

static void sender_that_hangs_up_is_told(void **state)
{
    (void)state;
    begin(DEFINITION_INITRD, 0);
    send_file(0, 1);
    close(scene.supply);
    scene.supply = -1;
    assert_refused(-ENOEXEC, NULL, "its files did not come: what was to bring them is gone");
    end();
}

static void message_that_makes_no_sense_is_told(void **state)
{
    static const char nonsense[] = "what was to bring its files makes no sense";
    const struct link_head head = { .type = LINK_LOG, .size = sizeof(head) };

    (void)state;
    begin(0, 0);
    send_file(DEFINITION_SOURCES_MAX, 1);
    assert_refused(-ENOEXEC, NULL, nonsense);
    end();

    begin(0, 0);
    send_file(UINT32_MAX, 1);
    assert_refused(-ENOEXEC, NULL, nonsense);
    end();

    begin(0, 1); /* the same twice */
    send_file(0, 1);
    send_file(0, 1);
    assert_refused(-ENOEXEC, NULL, nonsense);
    end();

    begin(0, 0);
    assert_int_equal(link_send(scene.supply, &head, sizeof(head), NULL, 0), 0);
    assert_refused(-ENOEXEC, NULL, nonsense);
    end();
}

static void source_that_is_not_asked_for_is_none_of_them(void **state)
{
    (void)state;
    begin(0, 0); /* it has an image, and no more */
    send_file(5, 1);
    assert_refused(-ENOEXEC, NULL, "what was to bring its files makes no sense");
    end();
}

static void what_is_no_regular_file_is_refused(void **state)
{
    struct temporary_directory directory;
    int ends[2];

    (void)state;
    temporary_directory_init(&directory);
    begin(DEFINITION_INITRD, 0);
    send_file(0, 1);
    send_source(1, 0, "", dup(directory.fd));
    assert_refused(-ENOEXEC, NULL, "the initrd is a directory");
    end();
    temporary_directory_deinit(&directory);

    begin(0, 1);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    send_file(0, 1);
    send_source(1, 0, "", ends[0]);
    assert_refused(-ENOEXEC, NULL, "a module is not a regular file");
    close(ends[1]);
    end();
}

/* Its end. */

static void guest_that_is_to_end_waits_no_longer(void **state)
{
    struct request request = { .kind = REQUEST_END, .end.reason = GUEST_END_KILLED };

    (void)state;
    begin(0, 0);
    snprintf(request.end.sentence, sizeof(request.end.sentence), "somebody killed it");
    assert_int_equal(
        request_queue_put(&scene.guest->requests, &(struct request){ .kind = REQUEST_PAUSE }), 0);
    assert_int_equal(request_queue_put(&scene.guest->requests, &request), 0);
    assert_refused(-ECANCELED, NULL, "it was to end before it had its files");
    assert_int_equal(scene.guest->asked_to_end.reason, GUEST_END_KILLED);
    assert_string_equal(scene.guest->asked_to_end.sentence, "somebody killed it");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_alone_is_enough),
        cmocka_unit_test(files_come_to_their_places_in_whatever_order),
        cmocka_unit_test(as_many_modules_as_there_may_be_are_received),
        cmocka_unit_test(files_are_closed_with_the_sources),
        cmocka_unit_test(file_that_takes_its_time_is_waited_for),
        cmocka_unit_test(sentence_in_place_of_a_file_is_the_error),
        cmocka_unit_test(descriptor_that_was_not_sent_is_told_of_its_parameter),
        cmocka_unit_test(message_without_a_descriptor_is_told),
        cmocka_unit_test(sender_that_hangs_up_is_told),
        cmocka_unit_test(message_that_makes_no_sense_is_told),
        cmocka_unit_test(source_that_is_not_asked_for_is_none_of_them),
        cmocka_unit_test(what_is_no_regular_file_is_refused),
        cmocka_unit_test(guest_that_is_to_end_waits_no_longer),
    };

    return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}

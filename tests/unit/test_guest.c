/*
 * A guest as it is made of a message, before there is a thread or a machine.
 */
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "start_message.h"
#include "worker/guest.h"

static const struct guest_home home = { .bell_fd = -1, .wake_fd = -1 };

/* Too large for a stack that a sanitizer watches. */
static struct link_message message;

static struct guest *make(const struct definition *definition)
{
    struct guest *guest;
    int supply;

    start_message_fill(&message, definition, &supply);
    assert_int_equal(guest_new(&home, &message, &guest), 0);
    close(supply);
    return guest;
}

/* The message in `message`, changed, is none to make a guest of; what came with it is not kept. */
static void assert_refused(int supply)
{
    struct guest *guest = NULL;
    char byte;

    assert_int_equal(guest_new(&home, &message, &guest), -EBADMSG);
    assert_null(guest);
    link_message_release(&message);
    assert_int_equal(read(supply, &byte, 1), 0); /* its other end is closed */
    close(supply);
}

static int fresh(void)
{
    const struct definition definition = start_definition();
    int supply;

    start_message_fill(&message, &definition, &supply);
    return supply;
}

static struct link_start *start_of(struct link_message *of)
{
    return (struct link_start *)(void *)of->bytes;
}

static void guest_is_what_the_message_says(void **state)
{
    struct definition definition = start_definition();
    struct vm_record record;
    struct guest *guest;

    (void)state;
    definition.flags = DEFINITION_INITRD;
    definition.module_count = 1;
    definition.format = IMAGE_ELF;
    definition.cpus = 4;
    guest = make(&definition);
    assert_int_equal(guest->slot, 3);
    guest_describe(guest, &record);
    assert_int_equal(record.id, 7);
    assert_string_equal(record.name, "lab");
    assert_string_equal(record.image, "source 0");
    assert_string_equal(record.machine.format, "elf");
    assert_string_equal(record.machine.mode, "auto");
    assert_int_equal(record.owner.pid, 4711);
    assert_int_equal(record.cpus, 4);
    assert_string_equal(guest->texts.append, "a command line");
    assert_string_equal(guest->texts.sources[2].name, "source 2");
    assert_string_equal(guest->texts.sources[2].arguments, "arguments 2");
    assert_int_equal(guest_phase(guest), LINK_PHASE_STARTING);
    assert_false(guest_has_input_queue(guest));
    guest_free(guest);
}

static void guest_takes_its_descriptors_and_closes_them(void **state)
{
    const struct definition definition = start_definition();
    struct guest *guest = make(&definition);
    int file = guest->file_fd, supply = guest->supply_fd;

    (void)state;
    link_message_release(&message);
    assert_int_not_equal(fcntl(file, F_GETFD), -1);
    assert_int_not_equal(fcntl(supply, F_GETFD), -1);
    guest_free(guest);
    assert_int_equal(fcntl(file, F_GETFD), -1);
    assert_int_equal(fcntl(supply, F_GETFD), -1);
}

static void message_without_its_descriptors_is_refused(void **state)
{
    struct guest *guest = NULL;

    (void)state;
    for (size_t count = 0; count < 2; count++) {
        int supply = fresh();

        while (message.fd_count > count)
            close(message.fds[--message.fd_count]);
        assert_int_equal(guest_new(&home, &message, &guest), -EBADMSG);
        link_message_release(&message);
        close(supply);
    }
    assert_null(guest);
}

static void message_that_is_cut_anywhere_is_refused(void **state)
{
    size_t whole;

    (void)state;
    close(fresh());
    whole = message.size;
    link_message_release(&message);
    for (size_t size = sizeof(struct link_head); size < whole; size++) {
        int supply = fresh();

        message.size = size;
        start_of(&message)->vm.head.size = (uint32_t)size;
        assert_refused(supply);
    }
}

static void texts_that_are_more_than_there_is_are_refused(void **state)
{
    static const uint32_t more[] = { 1, 2, 65536, UINT32_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        int supply = fresh();

        start_of(&message)->texts_size += more[i] == UINT32_MAX ? 0 : more[i];
        if (more[i] == UINT32_MAX)
            start_of(&message)->texts_size = UINT32_MAX;
        assert_refused(supply);
    }
}

static void texts_of_fewer_sources_than_it_has_are_refused(void **state)
{
    int supply = fresh();

    (void)state;
    start_of(&message)->definition.module_count = 1;
    assert_refused(supply);
    supply = fresh();
    start_of(&message)->definition.flags = DEFINITION_INITRD;
    assert_refused(supply);
}

static void slot_that_there_is_not_is_refused(void **state)
{
    int supply = fresh();

    (void)state;
    start_of(&message)->vm.slot = SLOTS_MAX;
    assert_refused(supply);
    supply = fresh();
    start_of(&message)->vm.slot = UINT32_MAX;
    assert_refused(supply);
}

static void name_without_an_end_is_refused(void **state)
{
    int supply = fresh();

    (void)state;
    memset(start_of(&message)->name, 'x', sizeof(start_of(&message)->name));
    assert_refused(supply);
}

static void numbers_out_of_range_are_refused(void **state)
{
    int supply = fresh();

    (void)state;
    start_of(&message)->definition.cpus = DEFINITION_CPUS_MAX + 1;
    assert_refused(supply);
    supply = fresh();
    start_of(&message)->definition.module_count = UINT32_MAX;
    assert_refused(supply);
}

/* Input. */

static void input_of_an_earlier_daemon_is_kept_when_another_comes(void **state)
{
    const struct definition definition = start_definition();
    struct slot_page *page;
    struct guest_home with_page = home;
    struct input_queue *first, *second, *worker_first, *worker_second;
    struct guest *guest;
    int fd, supply, page_fd;
    char data[16];

    (void)state;
    assert_int_equal(slot_page_new(&page, &page_fd), 0);
    with_page.page = page;
    start_message_fill(&message, &definition, &supply);
    assert_int_equal(guest_new(&with_page, &message, &guest), 0);
    assert_int_equal(input_queue_new(&first, &fd), 0);
    assert_int_equal(input_queue_map(fd, &worker_first), 0);
    close(fd);
    guest_take_input_queue(guest, worker_first);
    assert_true(guest_has_input_queue(guest));
    assert_int_equal(input_queue_put(first, "abc", 3), 3);

    assert_int_equal(input_queue_new(&second, &fd), 0);
    assert_int_equal(input_queue_map(fd, &worker_second), 0);
    close(fd);
    input_queue_await_move(second);
    guest_take_input_queue(guest, worker_second);
    assert_true(input_queue_is_ready(second));
    assert_int_equal(input_queue_put(second, "def", 3), 3);
    assert_int_equal(input_queue_take(guest->input, data, sizeof(data)), 6);
    assert_memory_equal(data, "abcdef", 6);
    assert_int_equal(page->slots[3].news, SLOT_ROOM);

    guest_free(guest);
    input_queue_free(first);
    input_queue_free(second);
    slot_page_free(page);
    close(page_fd);
    close(supply);
}

static void free_accepts_null(void **state)
{
    (void)state;
    guest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_is_what_the_message_says),
        cmocka_unit_test(guest_takes_its_descriptors_and_closes_them),
        cmocka_unit_test(message_without_its_descriptors_is_refused),
        cmocka_unit_test(message_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(texts_that_are_more_than_there_is_are_refused),
        cmocka_unit_test(texts_of_fewer_sources_than_it_has_are_refused),
        cmocka_unit_test(slot_that_there_is_not_is_refused),
        cmocka_unit_test(name_without_an_end_is_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(input_of_an_earlier_daemon_is_kept_when_another_comes),
        cmocka_unit_test(free_accepts_null),
    };

    return cmocka_run_group_tests_name("guest", tests, NULL, NULL);
}

#include "unit_test.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "util/note.h"

static void new_note_has_no_text(void **state)
{
    struct note note = { 0 };

    (void)state;
    assert_null(note_text(&note));
}

static void first_sentence_stays(void **state)
{
    struct note note = { 0 };

    (void)state;
    note_set(&note, "%s %d", "first", 1);
    note_set(&note, "second");
    assert_string_equal(note_text(&note), "first 1");
}

static void empty_sentence_is_one(void **state)
{
    static const char *const empty = "";
    struct note note = { 0 };

    (void)state;
    note_set(&note, "%s", empty);
    note_set(&note, "second");
    assert_string_equal(note_text(&note), "");
}

static void sentence_that_just_fits_is_whole_and_a_longer_one_is_cut(void **state)
{
    char text[NOTE_TEXT_SIZE + 1];
    struct note fits = { 0 };
    struct {
        struct note note;
        char behind[8];
    } cut = { .behind = "guard" };

    (void)state;
    memset(text, 'x', sizeof(text));
    text[NOTE_TEXT_SIZE - 1] = '\0';
    note_set(&fits, "%s", text);
    assert_string_equal(note_text(&fits), text);
    note_set(&cut.note, "%sy", text);
    assert_string_equal(note_text(&cut.note), text);
    assert_string_equal(cut.behind, "guard");
}

static void *write_note(void *argument)
{
    note_set(argument, "a sentence of the other thread's");
    return NULL;
}

static void another_thread_reads_it_whole_or_not_at_all(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct note note = { 0 };
        pthread_t writer;

        assert_int_equal(pthread_create(&writer, NULL, write_note, &note), 0);
        while (!note_text(&note))
            sched_yield();
        assert_string_equal(note_text(&note), "a sentence of the other thread's");
        assert_int_equal(pthread_join(writer, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_note_has_no_text),
        cmocka_unit_test(first_sentence_stays),
        cmocka_unit_test(empty_sentence_is_one),
        cmocka_unit_test(sentence_that_just_fits_is_whole_and_a_longer_one_is_cut),
        cmocka_unit_test(another_thread_reads_it_whole_or_not_at_all),
    };

    return cmocka_run_group_tests_name("note", tests, NULL, NULL);
}

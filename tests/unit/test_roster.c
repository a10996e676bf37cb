/*
 * Roster: what changed while nobody told.
 */
#include "unit_test.h"

#include <stdio.h>
#include <string.h>

#include "field.h"
#include "roster.h"

enum { TEXT_SIZE = 256 };

/* What a listener heard, as "changed 3 paused; missing 4 running; ". */
struct heard {
    char text[TEXT_SIZE];
};

static void append(struct heard *heard, const char *what, struct json_object *vm)
{
    size_t used = strlen(heard->text);

    snprintf(heard->text + used, TEXT_SIZE - used, "%s %d %s; ", what, (int)field_integer(vm, "id"),
             field_text(vm, "state"));
}

static void on_changed(void *context, struct json_object *record)
{
    append(context, "changed", record);
}

static void on_missing(void *context, struct json_object *vm)
{
    append(context, "missing", vm);
}

/* "3 running, 4 paused" as a list of records. */
static struct json_object *records_of(const char *text)
{
    struct json_object *records = json_object_new_array();
    char state[16];
    int id, length;

    while (sscanf(text, " %d %15[a-z]%n", &id, state, &length) == 2) {
        struct json_object *record = json_object_new_object();

        json_object_object_add(record, "id", json_object_new_int(id));
        json_object_object_add(record, "name", json_object_new_string("lab"));
        json_object_object_add(record, "state", json_object_new_string(state));
        json_object_array_add(records, record);
        text += length;
        text += *text == ',';
    }
    return records;
}

static void update(struct roster *roster, const char *records_text, const char *expected)
{
    _cleanup_json_ struct json_object *records = records_of(records_text);
    struct heard heard = { 0 };
    const struct roster_listener listener = { on_changed, on_missing, &heard };

    roster_update(roster, records, expected ? &listener : NULL);
    if (expected)
        assert_string_equal(heard.text, expected);
}

static void note(struct roster *roster, int id, const char *state)
{
    _cleanup_json_ struct json_object *event = json_object_new_object();

    json_object_object_add(event, "vm", json_object_new_int(id));
    json_object_object_add(event, "name", json_object_new_string("lab"));
    json_object_object_add(event, "state", json_object_new_string(state));
    roster_note(roster, event);
}

static void same_list_is_no_news(void **state)
{
    struct roster roster = { 0 };

    (void)state;
    update(&roster, "1 exited, 3 running, 4 paused", NULL);
    update(&roster, "1 exited, 3 running, 4 paused", "");
    update(&roster, "1 exited, 3 running, 4 paused", "");
    roster_deinit(&roster);
}

static void another_state_is_news_once(void **state)
{
    struct roster roster = { 0 };

    (void)state;
    update(&roster, "3 running, 4 paused", NULL);
    update(&roster, "3 lost, 4 running", "changed 3 lost; changed 4 running; ");
    update(&roster, "3 lost, 4 running", "");
    roster_deinit(&roster);
}

static void what_an_event_told_is_no_news(void **state)
{
    struct roster roster = { 0 };

    (void)state;
    update(&roster, "3 running", NULL);
    note(&roster, 3, "paused");
    note(&roster, 4, "starting");
    note(&roster, 4, "running");
    note(&roster, 5, "running");
    note(&roster, 5, "exited");
    update(&roster, "3 paused, 4 running, 5 exited", "");
    roster_deinit(&roster);
}

static void new_vm_is_news_even_if_it_has_ended(void **state)
{
    struct roster roster = { 0 };

    (void)state;
    update(&roster, "3 running", NULL);
    update(&roster, "3 running, 4 exited, 5 running", "changed 4 exited; changed 5 running; ");
    update(&roster, "3 running, 4 exited, 5 running", "");
    roster_deinit(&roster);
}

static void first_vm_of_all_is_news(void **state)
{
    struct roster roster = { 0 };

    (void)state;
    update(&roster, "", NULL);
    update(&roster, "1 running", "changed 1 running; ");
    roster_deinit(&roster);
}

static void live_vm_that_is_not_listed_is_missing_once(void **state)
{
    struct roster roster = { 0 };

    (void)state;
    update(&roster, "2 exited, 3 running, 4 paused", NULL);
    update(&roster, "3 running", "missing 4 paused; ");
    update(&roster, "3 running", "");
    roster_deinit(&roster);
}

static void event_before_the_list_hides_no_other_vm(void **state)
{
    struct roster roster = { 0 };

    (void)state;
    update(&roster, "3 running", NULL);
    roster_await_list(&roster);
    note(&roster, 6, "starting");
    note(&roster, 7, "starting");
    note(&roster, 7, "exited");
    note(&roster, 3, "exited");
    update(&roster, "3 exited, 4 running, 5 exited, 6 starting, 7 exited",
           "changed 4 running; changed 5 exited; ");
    update(&roster, "3 exited, 4 running, 5 exited, 6 starting, 7 exited", "");
    roster_deinit(&roster);
}

static void what_is_no_list_changes_nothing(void **state)
{
    struct roster roster = { 0 };
    _cleanup_json_ struct json_object *text = json_object_new_string("no list");

    (void)state;
    update(&roster, "3 running", NULL);
    roster_update(&roster, text, NULL);
    roster_update(&roster, NULL, NULL);
    update(&roster, "3 running", "");
    roster_deinit(&roster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_list_is_no_news),
        cmocka_unit_test(another_state_is_news_once),
        cmocka_unit_test(what_an_event_told_is_no_news),
        cmocka_unit_test(new_vm_is_news_even_if_it_has_ended),
        cmocka_unit_test(first_vm_of_all_is_news),
        cmocka_unit_test(live_vm_that_is_not_listed_is_missing_once),
        cmocka_unit_test(event_before_the_list_hides_no_other_vm),
        cmocka_unit_test(what_is_no_list_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

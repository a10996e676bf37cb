#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

#include "util/list.h"

/* The links are not the first member: LIST_ENTRY has something to do. */
struct letter {
    char character;
    struct list link;
};

static char letter_of(struct list *link)
{
    return LIST_ENTRY(link, struct letter, link)->character;
}

/* The elements are these letters in this order, forwards and backwards. */
static void assert_letters(struct list *head, const char *expected)
{
    size_t length = strlen(expected), i = 0;

    LIST_FOR_EACH(head, link) {
        assert_true(i < length);
        assert_int_equal(letter_of(link), expected[i++]);
    }
    assert_int_equal(i, length);
    for (struct list *link = head->previous; link != head; link = link->previous)
        assert_int_equal(letter_of(link), expected[--i]);
    assert_int_equal(i, 0);
    assert_int_equal(list_is_empty(head), length == 0);
}

/* A head with "abc" in it. */
static void make_abc(struct list *head, struct letter letters[3])
{
    list_init(head);
    for (int i = 0; i < 3; i++) {
        letters[i].character = "abc"[i];
        list_append(head, &letters[i].link);
    }
}

static void new_list_is_empty(void **state)
{
    struct list head;

    (void)state;
    list_init(&head);
    assert_letters(&head, "");
}

static void append_keeps_the_order(void **state)
{
    struct letter letters[3];
    struct list head;

    (void)state;
    make_abc(&head, letters);
    assert_letters(&head, "abc");
}

static void any_element_can_be_removed(void **state)
{
    static const char *const left[] = { "bc", "ac", "ab" };
    struct letter letters[3];
    struct list head;

    (void)state;
    for (int i = 0; i < 3; i++) {
        make_abc(&head, letters);
        list_remove(&letters[i].link);
        assert_letters(&head, left[i]);
    }
}

static void the_last_element_removed_leaves_an_empty_list(void **state)
{
    struct letter letters[3];
    struct list head;

    (void)state;
    make_abc(&head, letters);
    for (int i = 0; i < 3; i++)
        list_remove(&letters[i].link);
    assert_letters(&head, "");
}

static void element_that_is_in_no_list_may_be_removed(void **state)
{
    struct letter letters[3];
    struct list head;

    (void)state;
    make_abc(&head, letters);
    list_remove(&letters[1].link);
    list_remove(&letters[1].link);
    assert_true(list_is_empty(&letters[1].link));
    assert_letters(&head, "ac");
}

static void removed_element_can_be_appended_again(void **state)
{
    struct letter letters[3];
    struct list head;

    (void)state;
    make_abc(&head, letters);
    list_remove(&letters[0].link);
    list_append(&head, &letters[0].link);
    assert_letters(&head, "bca");
}

static void body_of_a_loop_may_remove_and_free_its_element(void **state)
{
    struct list head;

    (void)state;
    list_init(&head);
    for (int i = 0; i < 3; i++) {
        struct letter *letter = calloc(1, sizeof(*letter));

        assert_non_null(letter);
        list_append(&head, &letter->link);
    }
    LIST_FOR_EACH(&head, link) {
        struct letter *letter = LIST_ENTRY(link, struct letter, link);

        list_remove(link);
        free(letter);
    }
    assert_true(list_is_empty(&head));
}

static void loop_over_an_empty_list_has_no_turn(void **state)
{
    struct list head;

    (void)state;
    list_init(&head);
    LIST_FOR_EACH(&head, link)
        fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_list_is_empty),
        cmocka_unit_test(append_keeps_the_order),
        cmocka_unit_test(any_element_can_be_removed),
        cmocka_unit_test(the_last_element_removed_leaves_an_empty_list),
        cmocka_unit_test(element_that_is_in_no_list_may_be_removed),
        cmocka_unit_test(removed_element_can_be_appended_again),
        cmocka_unit_test(body_of_a_loop_may_remove_and_free_its_element),
        cmocka_unit_test(loop_over_an_empty_list_has_no_turn),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}

/*
 * List: doubly linked, circular, its links embedded in the elements.
 *
 * A head and an element that is in no list both point at themselves, so that list_remove() of
 * either is harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *list)
{
    list->next = list->previous = list;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_append(struct list *head, struct list *element)
{
    element->previous = head->previous;
    element->next = head;
    head->previous->next = element;
    head->previous = element;
}

static inline void list_remove(struct list *element)
{
    element->previous->next = element->next;
    element->next->previous = element->previous;
    list_init(element);
}

/* Moves all elements of one list to the end of another, in order. A loop over elements whose
 * callees may remove any of them moves all away, and then each back before it calls. */
static inline void list_move_all(struct list *from, struct list *to)
{
    while (!list_is_empty(from)) {
        struct list *element = from->next;

        list_remove(element);
        list_append(to, element);
    }
}

#define LIST_ENTRY(element, type, member)                                                          \
    ((type *)(void *)((char *)(element)-offsetof(type, member)))

/* The body may remove the current element, and no other. */
#define LIST_FOR_EACH(head, element)                                                               \
    for (struct list *element = (head)->next, *element##_next = element->next; element != (head);  \
         element = element##_next, element##_next = element->next)

/*
 * Word list: words in a sentence, "flat, rom, elf". A list for which there is too little room ends
 * in "...": it is never cut in silence.
 *
 *     char text[128] = "";
 *     struct word_list words = WORD_LIST(text);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct word_list {
    char *text;  /* the caller's; "" at first */
    size_t size; /* bytes of it, 8 or more */
    bool full;   /* it ends in "..." */
};

#define WORD_LIST(array)                                                                           \
    {                                                                                              \
        .text = (array), .size = sizeof(array)                                                     \
    }

/* Adds one word. Any thread. */
void word_list_add(struct word_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

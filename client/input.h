/*
 * Input: bytes on their way to a guest.
 *
 * One vm.input is under way at a time, and it waits for room with the guest: one that reads slowly,
 * or never, costs nobody anything meanwhile, and what it did not accept is sent again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#define INPUT_MAX ((size_t)16 * 1024 * 1024) /* bytes: a person's paste is less */

/* All zero is an input with nothing in it. */
struct input {
    char *bytes; /* not accepted yet: bytes[start..end) */
    size_t start;
    size_t end;
    size_t capacity;
    bool ending;    /* after these bytes comes the end */
    bool closed;    /* the guest takes no more */
    bool under_way; /* a request, with the first `sent` bytes */
    size_t sent;
    bool sent_end;         /* and the end */
    int64_t rest_until_ns; /* on the monotonic clock */
};

void input_deinit(struct input *input);

/* Bytes that were not accepted yet. */
size_t input_size(const struct input *input);

/* Adds all of it. Errors: -ENOBUFS (INPUT_MAX), -ENOMEM. */
int input_add(struct input *input, const char *bytes, size_t size);

/* Nothing more will be added. */
void input_end(struct input *input);

/* For how long there is nothing to send, because there was hardly any room; 0: not for that. */
int input_rest_ms(const struct input *input);

/* params of the next vm.input, which is under way from here on; NULL: there is nothing to send, or
 * one is under way. */
struct json_object *input_next(struct input *input, int64_t vm);

/* The answer came: the result of vm.input, which tells how many bytes were accepted, or that it
 * was refused. */
size_t input_accepted(struct input *input, struct json_object *result);
void input_refused(struct input *input);

/*
 * The connection was lost: if a vm.input was under way, no answer will come. Its bytes may have
 * reached the guest or not, and are not sent again, for a line that is typed twice can do more harm
 * than one that is missing, which can be told. Returns how many they are. The end of the input, if
 * it was among them, is sent again: twice it is the same.
 */
size_t input_unanswered(struct input *input);

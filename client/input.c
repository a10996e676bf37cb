#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "protocol/base64.h"
#include "util/clock.h"

/* Of one request: what finds no room goes over the wire again. */
#define CHUNK_MAX ((size_t)4096)

/* A guest that takes a byte after the other makes room for one at a time: let it make more. It has
 * 64 KiB to go on with meanwhile. */
#define REST_NS (5 * CLOCK_NS_PER_MS)

void input_deinit(struct input *input)
{
    free(input->bytes);
    *input = (struct input){ 0 };
}

size_t input_size(const struct input *input)
{
    return input->end - input->start;
}

/* Makes room for size bytes behind the others. */
static int make_room(struct input *input, size_t size)
{
    size_t held = input_size(input), capacity = input->capacity ? input->capacity : CHUNK_MAX;
    char *bytes;

    if (input->capacity - input->end >= size)
        return 0;
    if (input->start > 0) /* what was accepted gives way */
        memmove(input->bytes, input->bytes + input->start, held);
    input->start = 0;
    input->end = held;
    while (capacity - held < size)
        capacity *= 2;
    if (capacity == input->capacity)
        return 0;
    bytes = realloc(input->bytes, capacity);
    if (!bytes)
        return -ENOMEM;
    input->bytes = bytes;
    input->capacity = capacity;
    return 0;
}

int input_add(struct input *input, const char *bytes, size_t size)
{
    int r;

    if (size == 0)
        return 0;
    if (size > INPUT_MAX - input_size(input))
        return -ENOBUFS;
    r = make_room(input, size);
    if (r < 0)
        return r;
    memcpy(input->bytes + input->end, bytes, size);
    input->end += size;
    return 0;
}

void input_end(struct input *input)
{
    input->ending = true;
}

int input_rest_ms(const struct input *input)
{
    int64_t left_ns = input->rest_until_ns ? input->rest_until_ns - clock_monotonic_ns() : 0;

    return left_ns > 0 ? (int)(left_ns / CLOCK_NS_PER_MS) + 1 : 0;
}

struct json_object *input_next(struct input *input, int64_t vm)
{
    size_t size = input_size(input) < CHUNK_MAX ? input_size(input) : CHUNK_MAX;
    char text[BASE64_LENGTH(CHUNK_MAX)];
    struct json_object *params;
    size_t length;

    if (input->under_way || input->closed || (size == 0 && !input->ending) ||
        input_rest_ms(input) > 0)
        return NULL;
    length = base64_encode(size > 0 ? input->bytes + input->start : "", size, text);
    input->under_way = true;
    input->sent = size;
    input->sent_end = input->ending && size == input_size(input);

    params = json_object_new_object();
    json_object_object_add(params, "vm", json_object_new_int64(vm));
    json_object_object_add(params, "data", json_object_new_string_len(text, (int)length));
    json_object_object_add(params, "eof", json_object_new_boolean(input->sent_end));
    json_object_object_add(params, "wait", json_object_new_boolean(true));
    return params;
}

size_t input_accepted(struct input *input, struct json_object *result)
{
    int64_t accepted = field_integer(result, "accepted");
    size_t size = accepted < 0 || (size_t)accepted > input->sent ? input->sent : (size_t)accepted;

    input->under_way = false;
    input->start += size;
    input->rest_until_ns = size < input->sent ? clock_monotonic_ns() + REST_NS : 0;
    if (input->sent_end && size == input->sent)
        input->closed = true;
    return size;
}

size_t input_unanswered(struct input *input)
{
    size_t size = input->under_way ? input->sent : 0;

    input->under_way = false;
    input->start += size;
    input->rest_until_ns = 0;
    return size;
}

void input_refused(struct input *input)
{
    input->under_way = false;
    input->closed = true;
}

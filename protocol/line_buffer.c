#include "protocol/line_buffer.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 4096 };

void line_buffer_init(struct line_buffer *buffer, size_t limit)
{
    *buffer = (struct line_buffer){ .limit = limit };
}

void line_buffer_deinit(struct line_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct line_buffer){ .limit = buffer->limit };
}

char *line_buffer_room(struct line_buffer *buffer, size_t *ret_size)
{
    if (buffer->start > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->end - buffer->start);
        buffer->end -= buffer->start;
        buffer->scanned -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->end == buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity * 2 : ROOM_MIN;
        char *bytes = realloc(buffer->bytes, capacity);

        if (!bytes)
            return NULL;
        buffer->bytes = bytes;
        buffer->capacity = capacity;
    }
    *ret_size = buffer->capacity - buffer->end;
    return buffer->bytes + buffer->end;
}

void line_buffer_added(struct line_buffer *buffer, size_t size)
{
    buffer->end += size;
}

/* Hands out bytes[start..start + length) and forgets them, with `terminator` bytes after them. */
static struct line hand_out(struct line_buffer *buffer, enum line_kind kind, size_t length,
                            size_t terminator)
{
    struct line line = {
        .kind = kind,
        .text = buffer->bytes + buffer->start,
        .length = length,
        .offset = buffer->offset,
        .end_offset = buffer->offset + length + terminator,
    };

    buffer->start += length + terminator;
    buffer->scanned = buffer->start;
    buffer->offset = line.end_offset;
    return line;
}

/* Nothing is left: a quiet connection holds no memory. */
static void forget_all(struct line_buffer *buffer)
{
    free(buffer->bytes);
    buffer->bytes = NULL;
    buffer->capacity = buffer->start = buffer->scanned = buffer->end = 0;
}

struct line line_buffer_next(struct line_buffer *buffer)
{
    while (buffer->start < buffer->end) {
        char *lf = memchr(buffer->bytes + buffer->scanned, '\n', buffer->end - buffer->scanned);
        size_t length = (lf ? (size_t)(lf - buffer->bytes) : buffer->end) - buffer->start;

        if (buffer->skipping) {
            hand_out(buffer, LINE_TOO_LONG, length, lf ? 1 : 0);
            buffer->skipping = !lf;
            continue;
        }
        if (length > buffer->limit) {
            buffer->skipping = !lf;
            return hand_out(buffer, LINE_TOO_LONG, length, lf ? 1 : 0);
        }
        if (lf)
            return hand_out(buffer, LINE_WHOLE, length, 1);
        buffer->scanned = buffer->end;
        return (struct line){ .kind = LINE_NONE };
    }
    forget_all(buffer);
    return (struct line){ .kind = LINE_NONE };
}

struct line line_buffer_last(struct line_buffer *buffer)
{
    if (buffer->skipping || buffer->start == buffer->end)
        return (struct line){ .kind = LINE_NONE };
    return hand_out(buffer, LINE_WHOLE, buffer->end - buffer->start, 0);
}

/*
 * Line buffer: framing of the wire. Bytes go in as they arrive, lines come out: one JSON text each,
 * ended by LF.
 *
 * A line over the limit is reported once, as soon as that is known, and skipped to its LF; its
 * bytes are not kept. Offsets count from the first byte of the stream, so that a descriptor that
 * came with a byte can be matched to the line the byte is in.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct line_buffer {
    size_t limit; /* bytes a line may have, its LF not counted */
    char *bytes;  /* NULL while empty */
    size_t capacity;
    size_t start;   /* bytes[start..end) have not been handed out */
    size_t scanned; /* bytes[start..scanned) have no LF */
    size_t end;
    uint64_t offset; /* in the stream, of bytes[start] */
    int skipping;    /* inside a line that was too long */
};

enum line_kind {
    LINE_NONE,     /* no whole line yet */
    LINE_WHOLE,    /* text and length are set; valid until the next call on the buffer */
    LINE_TOO_LONG, /* the line that begins at offset is over the limit; length: of it so far */
};

struct line {
    enum line_kind kind;
    const char *text; /* without the LF; not NUL-terminated */
    size_t length;
    uint64_t offset;     /* of its first byte in the stream */
    uint64_t end_offset; /* of the byte after its LF; too long: after what has arrived of it */
};

/* limit: bytes, at least 1. */
void line_buffer_init(struct line_buffer *buffer, size_t limit);
void line_buffer_deinit(struct line_buffer *buffer);

/* Room to read into: *ret_size bytes, at least 1. Errors: NULL, out of memory. */
char *line_buffer_room(struct line_buffer *buffer, size_t *ret_size);

/* size bytes were put into the room. */
void line_buffer_added(struct line_buffer *buffer, size_t size);

/* The next line. Call until LINE_NONE after each line_buffer_added(). */
struct line line_buffer_next(struct line_buffer *buffer);

/* At the end of the stream: a last line that has no LF, else LINE_NONE. */
struct line line_buffer_last(struct line_buffer *buffer);
